/* What the page uses of signals, for the type checker. */
export interface Signal<T> {
  value: T;
  peek(): T;
  subscribe(run: (value: T) => void): () => void;
}
export function signal<T>(first: T): Signal<T>;
export function effect(run: () => void): () => void;
export function computed<T>(make: () => T): Pick<Signal<T>, "subscribe" | "peek"> & { readonly value: T };
