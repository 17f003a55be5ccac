/** Addresses: all relative to Airflow's base path, none with a query that another page could read. */

/** The address of one of the wall's own routes, below Airflow's base path. */
export function routeUrl(path: string, query: Record<string, string | number | undefined> = {}): string {
  const url = new URL(`renderjuice/wall/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** The address of a picture, at most `size` pixels wide and high. */
export function pictureUrl(key: string, size: 256 | 1024): string {
  return routeUrl(`pictures/${encodeURIComponent(key)}`, { size });
}

export type Destination = { kind: "airflow"; to: string } | { kind: "elsewhere"; href: string };

/**
 * Where a link of a row leads: a page of this Airflow, which its router opens, or an HTTP address elsewhere.
 * Anything else, such as `javascript:`, is no link at all.
 */
export function destination(link: string | null): Destination | null {
  if (!link) return null;
  let url: URL;
  try {
    url = new URL(link, document.baseURI);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  const base = new URL(".", document.baseURI);
  if (url.origin === base.origin && url.pathname.startsWith(base.pathname)) {
    return { kind: "airflow", to: `/${url.pathname.slice(base.pathname.length)}${url.search}${url.hash}` };
  }
  return { kind: "elsewhere", href: url.href };
}
