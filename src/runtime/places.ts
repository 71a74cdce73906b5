/**
 * A set for members that come and go with every request. A Set makes itself anew as it is used, and what it was before holds
 * on to members long gone until it is collected itself: that made each request a fifth dearer.
 */
export type Placed = {
  /** The set's own note of where it keeps this; -1 to begin with. */
  place: number
}

export class Places<Member extends Placed> {
  readonly #places: (Member | undefined)[] = []
  readonly #free: number[] = []

  add(member: Member): void {
    member.place = this.#free.pop() ?? this.#places.length
    this.#places[member.place] = member
  }

  has(member: Member): boolean {
    return this.#places[member.place] === member
  }

  remove(member: Member): void {
    if (!this.has(member)) return
    this.#places[member.place] = undefined
    this.#free.push(member.place)
  }

  all(): Member[] {
    return this.#places.filter((member) => member !== undefined)
  }
}
