/* What the page uses of Preact's hooks, for the type checker. */
export function useState<T>(first: T | (() => T)): [T, (next: T | ((before: T) => T)) => void];
export function useEffect(run: () => void | (() => void), inputs?: readonly any[]): void;
export function useLayoutEffect(run: () => void | (() => void), inputs?: readonly any[]): void;
export function useMemo<T>(make: () => T, inputs: readonly any[]): T;
export function useRef<T>(first: T): { current: T };
