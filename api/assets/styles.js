// The page's policy allows styles from files, and style elements that carry this response's nonce. GraphiQL's libraries add
// style elements (a dialog locks scrolling), and CodeMirror writes a few style attributes: this gives the elements the nonce
// and sets the attributes property by property, which the policy allows.
(() => {
  const { nonce } = document.currentScript;
  const { createElement } = Document.prototype;
  Document.prototype.createElement = function (...given) {
    const element = createElement.apply(this, given);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };
  const { setAttribute } = Element.prototype;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style" && this.style) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
  const innerHTML = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
  Object.defineProperty(Element.prototype, "innerHTML", {
    ...innerHTML,
    set(html) {
      innerHTML.set.call(this, String(html ?? "").replace(/ style="([^"]*)"/g, ' data-style="$1"'));
      for (const element of this.querySelectorAll("[data-style]")) element.style.cssText = element.dataset.style;
    },
  });
})();
