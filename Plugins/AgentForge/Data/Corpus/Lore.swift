/// What is known of the wide world: pairs and sentences.
enum Lore {
  /// Countries and their capitals.
  static let capitals = WordTable.rows(
    """
    France|Paris
    Germany|Berlin
    Italy|Rome
    Spain|Madrid
    Portugal|Lisbon
    Austria|Vienna
    Poland|Warsaw
    Greece|Athens
    Norway|Oslo
    Sweden|Stockholm
    Finland|Helsinki
    Denmark|Copenhagen
    Ireland|Dublin
    Belgium|Brussels
    Hungary|Budapest
    Iceland|Reykjavik
    Russia|Moscow
    Ukraine|Kyiv
    Turkey|Ankara
    Egypt|Cairo
    Kenya|Nairobi
    Morocco|Rabat
    Japan|Tokyo
    China|Beijing
    Thailand|Bangkok
    Vietnam|Hanoi
    Iran|Tehran
    Canada|Ottawa
    Cuba|Havana
    Peru|Lima
    Chile|Santiago
    Brazil|Brasilia
    Australia|Canberra
    """,
    columns: 2
  )

  /// Words and their opposites; each goes both ways.
  static let opposites = WordTable.rows(
    """
    hot|cold
    big|small
    long|short
    high|low
    fast|slow
    old|young
    full|empty
    light|dark
    loud|quiet
    wet|dry
    hard|soft
    rich|poor
    happy|sad
    open|closed
    early|late
    clean|dirty
    strong|weak
    thick|thin
    near|far
    day|night
    summer|winter
    up|down
    left|right
    first|last
    love|hate
    begin|end
    give|take
    push|pull
    win|lose
    good|bad
    """,
    columns: 2
  )

  /// Who does what, and for it needs what.
  static let work = WordTable.rows(
    """
    baker|bakes bread and cake|an oven
    farmer|grows corn and keeps animals|a tractor
    teacher|helps children to learn|a blackboard
    fisherman|catches fish|a net
    gardener|takes care of plants|a spade
    carpenter|makes things of wood|a saw
    doctor|helps people who are ill|medicine
    cook|makes warm meals|a pot
    pilot|flies a plane|a plane
    painter|paints pictures|a brush
    musician|plays music|an instrument
    postman|brings letters|a bag
    tailor|makes clothes|a needle
    miller|makes flour of corn|a mill
    sailor|works on a ship|a ship
    student|learns at a school|books
    """,
    columns: 3
  )

  /// Questions, and the sentences that answer them.
  static let general = WordTable.rows(
    """
    What colour is the sky on a clear day?|The sky is blue on a clear day.
    What colour is snow?|Snow is white.
    What colour is grass?|Grass is green.
    What colour is coal?|Coal is black.
    What is ice?|Ice is frozen water.
    What is steam?|Steam is water that has become a gas.
    What is rain?|Rain is water that falls from the clouds.
    What is snow?|Snow is frozen water that falls in flakes.
    What is the sun?|The sun is a star that gives us light and warmth.
    What is the moon?|The moon is a ball of rock that goes around the earth.
    What is the earth?|The earth is the planet we live on.
    What is a river?|A river is water that flows to the sea.
    What is an island?|An island is land with water all around it.
    What is a mountain?|A mountain is a very high hill.
    What is a desert?|A desert is a land with very little rain.
    What is a forest?|A forest is a land full of trees.
    What is the sea?|The sea is a great body of salt water.
    Where does the sun rise?|The sun rises in the east.
    Where does the sun set?|The sun sets in the west.
    When do the stars shine?|The stars shine at night.
    When do leaves fall?|Leaves fall in autumn.
    When do flowers bloom?|Flowers bloom in spring.
    When is it cold?|It is cold in winter.
    When is it warm?|It is warm in summer.
    Where does milk come from?|Milk comes from cows.
    Where does honey come from?|Honey comes from bees.
    Where do eggs come from?|Eggs come from hens.
    Where does wool come from?|Wool comes from sheep.
    Where does wood come from?|Wood comes from trees.
    What is bread made of?|Bread is made of flour and water.
    What is cheese made of?|Cheese is made of milk.
    What is butter made of?|Butter is made of milk.
    What is glass made of?|Glass is made of sand.
    What is paper made of?|Paper is made of wood.
    What is a brick made of?|A brick is made of clay.
    How many days does a week have?|A week has seven days.
    How many months does a year have?|A year has twelve months.
    How many hours does a day have?|A day has 24 hours.
    How many minutes does an hour have?|An hour has 60 minutes.
    How many seconds does a minute have?|A minute has 60 seconds.
    How many fingers does a hand have?|A hand has five fingers.
    How many wheels does a car have?|A car has four wheels.
    How many sides does a triangle have?|A triangle has three sides.
    How many sides does a square have?|A square has four sides.
    How many letters does the alphabet have?|The alphabet has 26 letters.
    What do we see with?|We see with our eyes.
    What do we hear with?|We hear with our ears.
    What do we smell with?|We smell with our nose.
    What do we taste with?|We taste with our tongue.
    What do plants need to grow?|Plants need water, light and earth to grow.
    What do people need to live?|People need air, water and food to live.
    What melts in the sun?|Ice melts in the sun.
    What do birds have?|Birds have wings and feathers.
    What do fish breathe with?|Fish breathe with gills.
    Which animal is the largest?|The blue whale is the largest animal.
    Which animal runs the fastest?|The cheetah runs the fastest.
    Which planet is nearest to the sun?|Mercury is nearest to the sun.
    Which planet is the largest?|Jupiter is the largest planet.
    Which ocean is the largest?|The Pacific is the largest ocean.
    Which colours make green?|Blue and yellow make green.
    Which colours make orange?|Red and yellow make orange.
    Which colours make purple?|Red and blue make purple.
    """,
    columns: 2
  )

  static let days = [
    "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
  ]

  static let months = WordTable.rows(
    """
    January|31|winter
    February|28|winter
    March|31|spring
    April|30|spring
    May|31|spring
    June|30|summer
    July|31|summer
    August|31|summer
    September|30|autumn
    October|31|autumn
    November|30|autumn
    December|31|winter
    """,
    columns: 3
  )

  static let colours = [
    "red", "blue", "green", "yellow", "white", "black", "brown", "orange", "purple", "grey",
  ]
}
