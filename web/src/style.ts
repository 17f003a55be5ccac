/** The wall's styles, as a sheet of the document: no `style` element, so that a strict CSP allows them, too. */

import styles from "./styles.css?inline";

const sheet = new CSSStyleSheet();
sheet.replaceSync(styles);
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
