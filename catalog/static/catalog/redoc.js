// ReDoc shows its maker's logo from a CDN. Nothing here asks another host, so ours stands in its place.
const place = document.getElementById("redoc");
const image = HTMLImageElement.prototype;
const own = (url) => (/^https?:/.test(url) ? place.dataset.logo : url);
const source = Object.getOwnPropertyDescriptor(image, "src");
Object.defineProperty(image, "src", {
  ...source,
  set(url) {
    source.set.call(this, own(url));
  },
});
image.setAttribute = function (name, value) {
  Element.prototype.setAttribute.call(this, name, name === "src" ? own(value) : value);
};

const fontFamily = "system-ui, sans-serif";
Redoc.init(place.dataset.schema, { theme: { typography: { fontFamily, headings: { fontFamily } } } }, place);
