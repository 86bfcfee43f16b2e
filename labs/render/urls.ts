// Which addresses a lab's text may lead to. Everything not listed here is refused, however it is written.

/** `preview:8080/path`: a page that the student's lab host serves. */
export interface PreviewTarget {
  port: number;
  /** starts with `/` */
  path: string;
}

const WEB = /^https?:\/\/[^/\\\s"'<>`][^\\\s"'<>`]*$/i;
const MAIL = /^mailto:[^\s"'<>`:]+$/i;
const ANCHOR = /^#[^\s"'<>`]*$/;
// no colon, backslash or second slash: it cannot become a scheme or another host
const RELATIVE = /^(?!\/)[\w./%-]+$/;

/** Whether markdown-it may make a link or an image of the address at all. */
export function isAllowedUrl(url: string): boolean {
  return isLinkUrl(url) || isImageUrl(url);
}

/** Whether the address may be a link's: the web, mail, a preview, a place on the page. */
export function isLinkUrl(url: string): boolean {
  return WEB.test(url) || MAIL.test(url) || ANCHOR.test(url) || previewTarget(url) !== undefined;
}

/** Whether the address may be an image's: https, or a file in the lab's own folder. */
export function isImageUrl(url: string): boolean {
  return (WEB.test(url) && /^https:/i.test(url)) || isAssetPath(url);
}

/** Whether it is the path of a file in the lab's own folder. */
export function isAssetPath(url: string): boolean {
  if (!RELATIVE.test(url) || /%(?:2e|2f|5c|00)/i.test(url)) return false;
  return url.split('/').every((part) => part !== '' && part !== '..');
}

/** The port and path of a `preview:` address. */
export function previewTarget(url: string): PreviewTarget | undefined {
  const match = /^preview:(\d{1,5})(\/[^\s"'<>`\\]*)?$/.exec(url);
  const port = Number(match?.[1]);
  if (!match || port < 1 || port > 65535) return undefined;
  return { port, path: match[2] ?? '/' };
}
