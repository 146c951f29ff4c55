/* What the page uses of Preact, for the type checker. */
export function h(type: any, props: any, ...children: any[]): any;
export function render(node: any, parent: Element): void;
export function Fragment(props: any): any;
export class Component {
  constructor(props?: any);
  props: any;
  state: any;
  render(props?: any): any;
}
