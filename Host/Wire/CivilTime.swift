/// Date and time of day in UTC, in the proleptic Gregorian calendar.
struct CivilTime: Equatable {
  var year: Int
  var month: Int
  var day: Int
  var hour: Int
  var minute: Int
  var second: Int

  init(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) {
    self.year = year
    self.month = month
    self.day = day
    self.hour = hour
    self.minute = minute
    self.second = second
  }

  /// The time `seconds` after 1970-01-01T00:00:00Z, or before it when negative.
  init(seconds: Int64) {
    let (days, rest) = Self.floorDivide(Int(seconds), 86400)
    // Years are counted from 1 March, so that the leap day is the last one; an era is 400 years.
    let (era, dayOfEra) = Self.floorDivide(days + 719_468, 146_097)
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    day = dayOfYear - (153 * shifted + 2) / 5 + 1
    month = shifted < 10 ? shifted + 3 : shifted - 9
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    hour = rest / 3600
    minute = rest / 60 % 60
    second = rest % 60
  }

  /// Seconds since 1970-01-01T00:00:00Z.
  var seconds: Int64 {
    Int64(days) * 86400 + Int64(hour * 3600 + minute * 60 + second)
  }

  /// Days since 1970-01-01.
  private var days: Int {
    let shiftedYear = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = Self.floorDivide(shiftedYear, 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The day of the week; Sunday is 0.
  var weekday: Int { Self.floorDivide(days + 4, 7).remainder }

  /// Whether every part is in its range and the month has that day.
  ///
  /// Second 60, a leap second, is not accepted: it has no number of seconds of its own.
  var isValid: Bool {
    guard 1...12 ~= month, 0...23 ~= hour, 0...59 ~= minute, 0...59 ~= second else { return false }
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let length = month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
    return 1...length ~= day
  }

  private static func floorDivide(
    _ value: Int,
    _ divisor: Int
  ) -> (quotient: Int, remainder: Int) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
