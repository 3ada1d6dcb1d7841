/** The words that stand inside an answer's content; the view gives them in its language. */
export interface Labels {
  readonly copy: string;
  readonly code: string;
  image(host: string): string;
}
