/// Forms of words that no stemmer brings together: `keep` and `kept`, `child` and `children`.
enum Inflections {
  /// The base form of an irregular one; `nil` for all other words.
  static func base(of word: String) -> String? { bases[word] }

  /// Every form of the word, the word itself first; just the word when it is regular.
  static func forms(of word: String) -> [String] {
    guard let base = bases[word] else { return [word] }
    return [word] + (groups[base] ?? []).filter { $0 != word }
  }

  private static let bases: [String: String] = Dictionary(
    table.flatMap { group in group.map { ($0, group[0]) } },
    uniquingKeysWith: { first, _ in first }
  )

  private static let groups: [String: [String]] = Dictionary(
    table.map { ($0[0], $0) },
    uniquingKeysWith: { first, _ in first }
  )

  /// One line for each group, the base form first; words with a second, unrelated sense (`left`,
  /// `found`, `saw`, `lay`, `bore`, `wound`) are left out of it.
  private static let table: [[String]] =
    """
    become became
    begin began begun
    bite bit bitten
    break broke broken
    bring brought
    build built
    buy bought
    catch caught
    child children
    choose chose chosen
    come came
    deal dealt
    draw drew drawn
    drink drank drunk
    drive drove driven
    eat ate eaten
    fall fell fallen
    feed fed
    feel felt
    fight fought
    fly flew flown
    foot feet
    forget forgot forgotten
    freeze froze frozen
    give gave given
    go went gone
    goose geese
    grow grew grown
    hear heard
    hide hid hidden
    hold held
    keep kept
    know knew known
    lead led
    lend lent
    lose lost
    make made
    man men
    mean meant
    meet met
    mouse mice
    pay paid
    person people
    ride rode ridden
    rise rose risen
    run ran
    say said
    see seen
    sell sold
    send sent
    shake shook shaken
    sing sang sung
    sink sank sunk
    sit sat
    sleep slept
    speak spoke spoken
    spend spent
    stand stood
    steal stole stolen
    strike struck
    swear swore sworn
    swim swam swum
    take took taken
    teach taught
    tear tore torn
    think thought
    throw threw thrown
    tooth teeth
    understand understood
    wake woke woken
    wear wore worn
    win won
    woman women
    write wrote written
    """.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
}
