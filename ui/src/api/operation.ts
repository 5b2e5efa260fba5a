/** One operation of the server; the types of its request and answer stand in the type. */
export interface Operation<Request, Answer> {
  readonly method: string;
  readonly path: string;
  /** Never set: carries the types. */
  readonly types?: { request: Request; answer: Answer };
}
