/** Makes text safe to stand in a page or within the quotes of an attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A template in which strings are escaped, and arrays are HTML already. */
export function html(parts: TemplateStringsArray, ...values: (string | string[])[]): string {
  return parts.map((part, at) => {
    const value = values[at] ?? "";
    return part + (Array.isArray(value) ? value.join("\n") : escapeHtml(value));
  }).join("");
}
