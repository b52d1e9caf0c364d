/// Short stories of the same people, in words for children.
struct Stories {
  /// The one the story is of.
  let hero: Person
  private let friend: Person
  private var speech: Speech
  private var told: [String] = []

  /// A story and who it is of.
  static func tell(_ speech: inout Speech) -> (text: String, hero: Person, about: String) {
    let hero = speech.pick(Person.all)
    guard let friend = Person.named[hero.friend] else { preconditionFailure("\(hero.friend)?") }
    var story = Stories(hero: hero, friend: friend, speech: speech)
    let about = story.plot()
    speech = story.speech
    return (story.told.joined(separator: " "), hero, about)
  }

  private mutating func plot() -> String {
    opening()
    let about: String
    switch speech.generator.below(8) {
    case 0: about = lost()
    case 1: about = hungryAnimal()
    case 2: about = meal()
    case 3: about = rain()
    case 4: about = runaway()
    case 5: about = sharing()
    case 6: about = learning()
    default: about = present()
    }
    ending()
    return about
  }

  private mutating func tell(_ phrases: String...) { told.append(speech.pick(phrases)) }

  private mutating func opening() {
    let name = hero.name
    let day = speech.pick(Lore.days)
    let weather = speech.say("sunny", "windy", "cold", "warm", "quiet", "foggy", "bright", "grey")
    tell(
      "Once upon a time there was \(English.a(hero.work)) called \(name).",
      "\(name) the \(hero.work) lived \(hero.home).",
      "It was a \(weather) \(day) morning, and \(name) was at home.",
      "One \(weather) day \(name) the \(hero.work) got up early.",
      "On \(day) \(name) woke up and looked out of the window. It was a \(weather) day."
    )
    if speech.once(in: 2) {
      tell(
        "\(English.sentence(hero.he)) had \(English.a(hero.pet)) called \(hero.petName).",
        "\(English.sentence(hero.he)) liked \(hero.food) more than anything else.",
        "\(English.sentence(hero.his)) best friend was \(friend.name).",
        "\(English.sentence(hero.he)) was fond of \(hero.hobby)."
      )
    }
  }

  private mutating func lost() -> String {
    let thing = speech.say(
      "hat",
      "key",
      "book",
      "scarf",
      "basket",
      "brush",
      "umbrella",
      "lamp",
      "bag",
      "ring"
    )
    let colour = speech.pick(Lore.colours)
    let places = speech.several(
      3,
      of: [
        "under the bed", "behind the door", "in the garden", "on the roof", "in the kitchen",
        "under the table", "near the well", "in the cupboard", "behind the tree", "by the gate",
      ]
    )
    let he = English.sentence(hero.he)
    tell(
      "\(hero.name) could not find \(hero.his) \(colour) \(thing).",
      "\(English.sentence(hero.his)) \(colour) \(thing) was gone.",
      "\"Where is my \(colour) \(thing)?\" said \(hero.name)."
    )
    told.append("\(he) looked \(places[0]), but it was not there.")
    tell(
      "\(he) looked \(places[1]), but it was not there.",
      "\(he) searched \(places[1]) and found only dust.",
      "Then \(hero.he) looked \(places[1]), and it was not there either."
    )
    tell(
      "\"I will help you,\" said \(friend.name).",
      "So \(hero.he) asked \(friend.name) for help.",
      "\(friend.name) came by and helped \(hero.him)."
    )
    let finder = speech.pick([friend.name, "\(hero.petName) the \(hero.pet)", hero.name])
    tell(
      "At last \(finder) found the \(thing) \(places[2]).",
      "After a long time \(finder) found it. The \(thing) was \(places[2]).",
      "Then \(finder) saw something \(colour) \(places[2]). It was the \(thing)!"
    )
    return "a lost \(thing)"
  }

  private mutating func hungryAnimal() -> String {
    let animal = speech.pick(
      Animal.all.filter {
        !["in a hive", "in a house"].contains($0.home) && $0.legs > 0 && $0.legs < 6
      }
    )
    let place = speech.say(
      "the forest",
      "the river",
      "the old bridge",
      "the hill",
      "the pond",
      "the meadow"
    )
    let state = speech.say("hungry", "lonely", "tired", "cold", "lost")
    tell(
      "\(hero.name) went for a walk to \(place).",
      "\(hero.name) walked to \(place) with \(hero.petName).",
      "\(hero.name) and \(friend.name) walked to \(place)."
    )
    tell(
      "There \(hero.he) met \(English.a("little \(animal.name)")).",
      "On the way \(hero.he) saw \(English.a("small \(animal.name)")).",
      "Behind a stone sat \(English.a("young \(animal.name)"))."
    )
    tell(
      "The \(animal.name) was \(state) and said, \"\(English.sentence(animal.sound))!\"",
      "\"\(English.sentence(animal.sound))!\" said the \(animal.name). It was \(state).",
      "It looked \(state) and did not move."
    )
    switch state {
    case "hungry": told.append("\(hero.name) gave it some \(animal.food).")
    case "lonely": told.append("\(hero.name) sat down and talked to it for an hour.")
    case "tired": told.append("\(hero.name) made a soft bed of leaves for it.")
    case "cold": told.append("\(hero.name) put \(hero.his) \(hero.colour) scarf around it.")
    default: told.append("\(hero.name) carried it back to its mother.")
    }
    tell(
      "The \(animal.name) was happy and followed \(hero.him) home.",
      "From then on the \(animal.name) came to see \(hero.him) every day.",
      "The \(animal.name) thanked \(hero.him) and ran away.",
      "Now the \(animal.name) was not \(state) any more."
    )
    return English.a("\(state) \(animal.name)")
  }

  private mutating func meal() -> String {
    let dish = speech.say("soup", "a cake", "a pie", "a salad", "pancakes", "a stew")
    let missing = speech.several(
      2,
      of: ["eggs", "milk", "flour", "salt", "butter", "onions", "sugar", "cream"]
    )
    let shop = speech.say("the market", "the shop", "the farm", "the mill")
    tell(
      "\(hero.name) wanted to make \(dish) for \(friend.name).",
      "\(friend.name) was coming for dinner, so \(hero.name) decided to make \(dish).",
      "\"Today I will make \(dish) for \(friend.name),\" said \(hero.name)."
    )
    told.append(
      "But there \(missing[0].hasSuffix("s") ? "were" : "was") no \(missing[0]) in the kitchen."
    )
    tell(
      "\(hero.name) took a basket and went to \(shop).",
      "So \(hero.he) ran to \(shop) as fast as \(hero.he) could.",
      "So \(hero.he) went to \(shop) with \(hero.petName) the \(hero.pet)."
    )
    tell(
      "\(English.sentence(hero.he)) bought \(missing[0]) and \(missing[1]).",
      "There \(hero.he) found \(missing[0]), and some \(missing[1]) too."
    )
    tell(
      "Back at home \(hero.he) cooked for an hour.",
      "Soon the whole house smelled good.",
      "\(English.sentence(hero.he)) stirred and tasted, and it was good."
    )
    tell(
      "\(friend.name) ate two plates and smiled.",
      "\"This is the best meal of my life,\" said \(friend.name).",
      "\(friend.name) asked for more, and they ate until nothing was left."
    )
    return "a dinner for \(friend.name)"
  }

  private mutating func rain() -> String {
    let place = speech.say("the hill", "the beach", "the forest", "the meadow", "the lake")
    let shelter = speech.say(
      "a big tree",
      "an old bridge",
      "a hay cart",
      "the roof of a barn",
      "a large umbrella"
    )
    tell(
      "\(hero.name) and \(friend.name) went to \(place).",
      "\(hero.name) met \(friend.name) at \(place).",
      "\(hero.name) wanted to spend the day at \(place) with \(friend.name)."
    )
    tell(
      "Suddenly dark clouds came, and it began to rain.",
      "Then the wind blew, and rain fell on them.",
      "Soon the sky was black, and they heard thunder."
    )
    told.append("They hid under \(shelter).")
    tell(
      "To pass the time, \(friend.name) talked about \(friend.hobby).",
      "\(hero.name) had some \(hero.food) in \(hero.his) bag, and they shared.",
      "They counted the drops and laughed.",
      "They sang a song until the rain was over."
    )
    tell(
      "When the sun came back, they saw a rainbow.",
      "After an hour the rain stopped, and the air smelled fresh.",
      "At last the clouds went away, and everything was shining."
    )
    return "a rainy day"
  }

  private mutating func runaway() -> String {
    let pet = hero.petName
    let place = speech.say(
      "in a basket of washing",
      "under a warm blanket",
      "in the neighbour's garden",
      "on top of the cupboard",
      "behind the oven",
      "in an old boot",
      "next to the well",
      "in a box of toys"
    )
    tell(
      "\(pet) the \(hero.pet) was gone.",
      "That day \(pet) the \(hero.pet) did not come for breakfast.",
      "\"\(pet), where are you?\" called \(hero.name), but the \(hero.pet) did not come."
    )
    tell(
      "\(hero.name) looked in every room and called and called.",
      "\(hero.name) asked all the people in the street.",
      "\(hero.name) put out some food and waited, but nothing moved."
    )
    tell(
      "\(friend.name) looked too, together with \(friend.petName) the \(friend.pet).",
      "\(friend.name) came to help and brought a lamp.",
      "\"Let us be very quiet and listen,\" said \(friend.name)."
    )
    tell(
      "In the evening they found \(pet) \(place).",
      "Then they heard a small noise: \(pet) was \(place)!",
      "At last they saw \(pet). The \(hero.pet) was asleep \(place)."
    )
    return "\(English.a(hero.pet)) that was gone"
  }

  private mutating func sharing() -> String {
    let noun = speech.say(
      "apple",
      "pear",
      "plum",
      "nut",
      "carrot",
      "cookie",
      "orange",
      "egg",
      "flower",
      "shell"
    )
    let some = speech.number(4...12)
    let given = speech.number(2...some - 2)
    let nouns = English.plural(noun)
    tell(
      "\(hero.name) found \(some) \(nouns) and put them in a bag.",
      "\(hero.name) had a basket with \(some) \(nouns) in it.",
      "Someone left \(some) \(nouns) at the door for \(hero.name)."
    )
    tell(
      "\(friend.name) had no \(nouns) and looked sad.",
      "\"I would like some \(nouns) too,\" said \(friend.name).",
      "Then \(hero.he) met \(friend.name), who had none."
    )
    tell(
      "So \(hero.name) gave \(given) of them to \(friend.name) and kept \(some - given).",
      "\(hero.name) gave \(friend.name) \(given) \(nouns). Now \(hero.he) had \(some - given) left."
    )
    tell(
      "\(friend.name) was very happy.",
      "\"Thank you, you are a good friend,\" said \(friend.name).",
      "The two sat in the sun together."
    )
    return "sharing \(nouns)"
  }

  private mutating func learning() -> String {
    let skill = speech.say(
      "ride a bicycle",
      "swim",
      "play the flute",
      "bake bread",
      "climb a tree",
      "throw a ball far",
      "row a boat",
      "juggle",
      "whistle",
      "stand on one leg"
    )
    let tries = speech.number(2...9)
    tell(
      "\(hero.name) wanted to learn to \(skill).",
      "\"I wish I could \(skill),\" said \(hero.name).",
      "\(friend.name) could \(skill), but \(hero.name) could not."
    )
    tell(
      "\(English.sentence(hero.he)) tried it once, and it went wrong.",
      "The first time \(hero.he) fell down.",
      "It was much harder than it looked."
    )
    tell(
      "\"Do not give up,\" said \(friend.name).",
      "\(friend.name) showed \(hero.him) how to do it.",
      "\(friend.name) laughed, and then helped \(hero.him)."
    )
    tell(
      "\(English.sentence(hero.he)) tried \(English.number(tries)) times.",
      "For \(English.number(tries)) days \(hero.he) tried it every morning."
    )
    tell(
      "Then at last \(hero.name) could \(skill)!",
      "And then it worked: \(hero.name) could \(skill).",
      "In the end \(hero.he) could \(skill) as well as \(friend.name)."
    )
    return "learning to \(skill)"
  }

  private mutating func present() -> String {
    let thing = speech.say(
      "hat",
      "scarf",
      "kite",
      "cup",
      "chair",
      "box",
      "bag",
      "picture",
      "lamp",
      "coat"
    )
    tell(
      "It was the birthday of \(friend.name).",
      "\(friend.name) had a birthday the next day.",
      "\(hero.name) remembered that \(friend.name) had a birthday."
    )
    tell(
      "\(hero.name) wanted to make a present.",
      "\"What can I give to \(friend.name)?\" thought \(hero.name).",
      "\(hero.name) had no money, so \(hero.he) made something."
    )
    told.append("\(friend.name)'s favourite colour was \(friend.colour).")
    tell(
      "So \(hero.he) made \(English.a("\(friend.colour) \(thing)")).",
      "So \(hero.he) took some paint, and soon there was \(English.a("\(friend.colour) \(thing)"))."
    )
    tell(
      "\(friend.name) opened the parcel and jumped for joy.",
      "\"How beautiful!\" said \(friend.name).",
      "\(friend.name) liked the \(thing) very much."
    )
    if speech.once(in: 2) { told.append("Then they ate \(friend.food) together.") }
    return "a present for \(friend.name)"
  }

  private mutating func ending() {
    if speech.once(in: 4) { return }
    tell(
      "That night \(hero.name) slept well.",
      "\(hero.name) was glad to have a friend like \(friend.name).",
      "They went home and told everyone about it.",
      "It was a good day.",
      "And \(hero.petName) the \(hero.pet) was happy too.",
      "\"Let us do that again,\" said \(hero.name).",
      "In the evening \(hero.name) went on with \(hero.hobby).",
      "And so the day came to an end.",
      "Then \(hero.he) went home and ate \(hero.food).",
      "Since that day \(hero.name) and \(friend.name) laugh when they think of it."
    )
  }
}
