// Which project of the server this page stands in: `/projects/<name>/` is the whole application of that project.

const FOUND = /^(.*\/)projects\/([^/]+)\/[^/]*$/;

/** The address of the server itself, and the project that a path belongs to. */
export function placeOfProject(path: string): { root: string; project: string } {
  const found = FOUND.exec(path);
  return found ? { root: found[1]!, project: decodeURIComponent(found[2]!) } : { root: path.replace(/[^/]*$/, ""), project: "default" };
}

export const here = (): { root: string; project: string } => placeOfProject(window.location.pathname);

export const addressOfProject = (name: string): string => (name === "default" ? here().root : `${here().root}projects/${encodeURIComponent(name)}/`);
