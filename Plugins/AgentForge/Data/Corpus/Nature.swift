/// An animal and what a child knows of it.
struct Animal: Sendable {
  let name: String
  let young: String
  let sound: String
  /// As `on a farm`.
  let home: String
  let food: String
  let legs: Int
  let look: String

  static let all: [Animal] = WordTable.rows(table, columns: 7).map { row in
    Animal(
      name: row[0],
      young: row[1],
      sound: row[2],
      home: row[3],
      food: row[4],
      legs: Int(row[5]) ?? 0,
      look: row[6]
    )
  }

  private static let table = """
    cow|calf|moo|on a farm|grass|4|big and has two horns
    dog|puppy|woof|in a house|meat|4|loyal and has a good nose
    cat|kitten|meow|in a house|mice|4|soft and has sharp claws
    horse|foal|neigh|in a stable|hay|4|strong and has a long mane
    sheep|lamb|baa|in a field|grass|4|white and has thick wool
    pig|piglet|oink|on a farm|turnips|4|pink and has a curly tail
    goat|kid|maa|on a farm|leaves|4|quick and has a beard
    duck|duckling|quack|on a pond|water plants|2|a bird with a flat beak
    hen|chick|cluck|in a hen house|corn|2|a bird that lays eggs
    goose|gosling|honk|on a pond|grass|2|a bird with a long neck
    owl|owlet|hoot|in the forest|mice|2|a bird with big eyes
    crow|chick|caw|in a tree|seeds|2|a black and clever bird
    frog|tadpole|croak|in a pond|flies|4|green and jumps far
    lion|cub|roar|in the savanna|meat|4|brave and has a golden mane
    wolf|pup|howl|in the forest|meat|4|grey and hunts in a pack
    bear|cub|growl|in the forest|honey|4|brown and sleeps in winter
    snake|hatchling|hiss|in the grass|mice|0|long and has no legs
    bee|larva|buzz|in a hive|nectar|6|small and makes honey
    mouse|pup|squeak|in a hole|cheese|4|small and has a thin tail
    elephant|calf|trumpet|in the savanna|leaves|4|very big and has a long trunk
    monkey|infant|chatter|in the jungle|bananas|4|clever and climbs well
    donkey|foal|hee-haw|in a stable|hay|4|patient and has long ears
    seal|pup|bark|by the sea|fish|0|smooth and swims well
    cricket|nymph|chirp|in the grass|leaves|6|small and plays music with its wings
    """
}

/// A thing and what it is.
struct Thing: Sendable {
  let name: String
  let kind: String
  /// What follows `is a kind`, as `for driving nails`.
  let use: String
  /// What it is made of, or for what grows its usual colour.
  let matter: String

  /// One sentence that says what it is.
  var definition: String { "\(English.sentence(English.a(name))) is \(English.a(kind)) \(use)." }

  /// Whether it grows, so that `matter` is its colour.
  var grows: Bool { ["fruit", "vegetable", "flower"].contains(kind) }

  static let all: [Thing] = WordTable.rows(table, columns: 4).map {
    Thing(name: $0[0], kind: $0[1], use: $0[2], matter: $0[3])
  }

  /// The things of each kind.
  static let byKind = Dictionary(grouping: all, by: \.kind)

  /// The kinds in a fixed order.
  static let kinds = byKind.keys.sorted()

  private static let table = """
    hammer|tool|for driving nails|iron and wood
    saw|tool|for cutting wood|steel
    spade|tool|for digging the ground|iron and wood
    knife|tool|for cutting bread|steel
    broom|tool|for sweeping the floor|straw and wood
    needle|tool|for sewing cloth|steel
    pen|tool|for writing|plastic
    brush|tool|for painting|hair and wood
    key|tool|for opening a lock|metal
    cup|container|for drinking tea|clay
    bottle|container|for keeping water|glass
    basket|container|for carrying fruit|straw
    box|container|for keeping small things|wood
    bucket|container|for carrying water|metal
    bag|container|for carrying things home|cloth
    pot|container|for cooking soup|iron
    chair|piece of furniture|for sitting|wood
    table|piece of furniture|for eating and working|wood
    bed|piece of furniture|for sleeping|wood
    shelf|piece of furniture|for keeping books|wood
    cupboard|piece of furniture|for keeping plates|wood
    hat|piece of clothing|for the head|felt
    scarf|piece of clothing|for the neck|wool
    coat|piece of clothing|for cold days|wool
    shirt|piece of clothing|for the upper body|cotton
    sock|piece of clothing|for the foot|wool
    glove|piece of clothing|for the hand|leather
    car|vehicle|with four wheels and an engine|metal
    bicycle|vehicle|with two wheels and pedals|metal
    boat|vehicle|that moves on water|wood
    train|vehicle|that runs on rails|metal
    plane|vehicle|that flies through the air|metal
    bus|vehicle|for many people|metal
    drum|musical instrument|that is beaten|wood and skin
    flute|musical instrument|that is blown|wood
    violin|musical instrument|with four strings|wood
    piano|musical instrument|with black and white keys|wood and metal
    guitar|musical instrument|with six strings|wood
    trumpet|musical instrument|that is blown loudly|brass
    apple|fruit|that grows on a tree|red
    pear|fruit|that grows on a tree|green
    plum|fruit|that grows on a tree|purple
    cherry|fruit|that grows on a tree|red
    lemon|fruit|that tastes sour|yellow
    banana|fruit|that grows in warm lands|yellow
    orange|fruit|that is full of juice|orange
    carrot|vegetable|that grows under the ground|orange
    potato|vegetable|that grows under the ground|brown
    onion|vegetable|that makes people cry|white
    tomato|vegetable|that is good in a salad|red
    pea|vegetable|that grows in a pod|green
    cucumber|vegetable|that is good in a salad|green
    rose|flower|with thorns and a sweet smell|red
    sunflower|flower|that turns to the sun|yellow
    daisy|flower|that grows in the meadow|white
    violet|flower|that blooms in spring|purple
    ball|toy|for throwing and catching|rubber
    doll|toy|that looks like a person|cloth
    kite|toy|that flies in the wind|paper
    puzzle|toy|with many pieces|paper
    """
}
