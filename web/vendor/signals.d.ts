/* What the page uses of signals, for the type checker. */
export interface Signal<T> {
  value: T;
  subscribe(run: (value: T) => void): () => void;
}
export function signal<T>(first: T): Signal<T>;
export function effect(run: () => void): () => void;
export function computed<T>(make: () => T): { readonly value: T };
