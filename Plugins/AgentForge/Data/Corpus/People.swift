/// Someone who is the same in every story and answer.
struct Person: Sendable {
  let name: String
  let isWoman: Bool
  /// As `baker`.
  let work: String
  /// As `in a small house by the river`.
  let home: String
  let pet: String
  let petName: String
  /// In the plural, or a mass.
  let food: String
  let colour: String
  /// As `painting pictures`.
  let hobby: String
  let friend: String

  var he: String { isWoman ? "she" : "he" }
  var him: String { isWoman ? "her" : "him" }
  var his: String { isWoman ? "her" : "his" }

  /// Everyone; friends are among them.
  static let all: [Person] = WordTable.rows(table, columns: 10).map { row in
    Person(
      name: row[0],
      isWoman: row[1] == "she",
      work: row[2],
      home: row[3],
      pet: row[4],
      petName: row[5],
      food: row[6],
      colour: row[7],
      hobby: row[8],
      friend: row[9]
    )
  }

  /// Everyone by name.
  static let named = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  private static let table = """
    Mia|she|baker|in a small house by the river|cat|Pip|plums|yellow|painting pictures|Tom
    Tom|he|farmer|on a farm near the hill|dog|Rex|apples|green|playing the drum|Mia
    Anna|she|teacher|in the old school house|rabbit|Snow|carrots|white|reading books|Ben
    Ben|he|fisherman|in a hut by the sea|parrot|Coco|fish soup|blue|building boats|Anna
    Lily|she|gardener|in a cottage behind the church|hen|Dot|strawberries|red|planting flowers|Max
    Max|he|carpenter|above the workshop|mouse|Nib|cheese|brown|carving wood|Lily
    Nora|she|doctor|in the white house on the hill|horse|Star|pears|silver|riding|Sam
    Sam|he|cook|next to the bakery|goat|Bill|noodles|orange|singing songs|Nora
    Ella|she|pilot|in a tall tower|owl|Hoot|honey|purple|flying kites|Leo
    Leo|he|painter|in a room under the roof|frog|Hop|cherries|pink|drawing animals|Ella
    Rosa|she|musician|in the house with the round door|canary|Sun|cake|gold|dancing|Paul
    Paul|he|postman|at the end of the long street|snail|Slow|pancakes|grey|running|Rosa
    Ida|she|tailor|in the shop at the corner|kitten|Silk|grapes|black|sewing dresses|Otto
    Otto|he|miller|in the old mill|donkey|Grey|bread|beige|telling jokes|Ida
    Emma|she|student|in a flat in the city|turtle|Shell|oranges|turquoise|playing chess|Jack
    Jack|he|sailor|on a ship in the harbour|monkey|Zip|bananas|navy blue|swimming|Emma
    """
}
