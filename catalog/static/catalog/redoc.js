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
const typography = { fontFamily, headings: { fontFamily } };
// ReDoc knows no dark colours of its own. It reads them once: a reader whose system changes loads the page again.
const light = { typography };
const dark = {
  typography: {
    ...typography,
    code: { color: "#ffb4ab", backgroundColor: "#2a2f33" },
    links: { color: "#a5b4fc", visited: "#a5b4fc", hover: "#c7d2fe" },
  },
  colors: {
    primary: { main: "#a5b4fc" },
    text: { primary: "#e4e6e6", secondary: "#b9bec2" },
    gray: { 50: "#2a2f33", 100: "#3a4147" },
    border: { dark: "#4a5157", light: "#3a4147" },
    success: { main: "#7dd88f" },
    warning: { main: "#f2c14e" },
    error: { main: "#ff9b93" },
    responses: {
      success: { color: "#7dd88f", backgroundColor: "#16301c", tabTextColor: "#7dd88f" },
      error: { color: "#ff9b93", backgroundColor: "#3a1c1a", tabTextColor: "#ff9b93" },
      redirect: { color: "#f2c14e", backgroundColor: "#33290f", tabTextColor: "#f2c14e" },
      info: { color: "#a5b4fc", backgroundColor: "#20243d", tabTextColor: "#a5b4fc" },
    },
  },
  sidebar: { backgroundColor: "#15181a", textColor: "#e4e6e6", activeTextColor: "#c7d2fe" },
  rightPanel: { backgroundColor: "#111416", textColor: "#e4e6e6" },
  codeBlock: { backgroundColor: "#1c2022" },
  schema: {
    nestedBackground: "#23282b",
    linesColor: "#6b7280",
    typeNameColor: "#c9ced2",
    typeTitleColor: "#c9ced2",
    requireLabelColor: "#ff9b93",
  },
};
const theme = matchMedia("(prefers-color-scheme: dark)").matches ? dark : light;
Redoc.init(place.dataset.schema, { theme }, place);
