import Chat
import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How long a server asks to be left alone: `retry-after-ms`, `retry-after` (seconds, or a date; RFC 9110, 10.2.3), the copy that
/// gateways pass on, and what it says in words. What is not a time above zero and below a year is not stated.
struct RetryAfter {
  let delay: Duration

  static let year = 31_536_000.0

  init?(head: ResponseHead) {
    self.init(
      milliseconds: head["retry-after-ms"], value: head["retry-after"] ?? head["llm_provider-retry-after"],
      now: Int(time(nil)))
  }

  /// - Parameter now: seconds since 1970.
  init?(milliseconds: String?, value: String?, now: Int) {
    if let stated = milliseconds.flatMap({ Double($0) }).flatMap({ Self.duration(seconds: $0 / 1000) }) {
      delay = stated
    } else if let stated = value.flatMap({ Double($0) }).flatMap(Self.duration(seconds:)) {
      delay = stated
    } else if let date = value.flatMap(RetryAfter.seconds(ofDate:)), let stated = Self.duration(seconds: Double(date - now)) {
      delay = stated
    } else {
      return nil
    }
  }

  /// Nil for what is no finite time above zero and below a year.
  static func duration(seconds: Double) -> Duration? {
    seconds > 0 && seconds < year ? .milliseconds(Int((seconds * 1000).rounded(.up))) : nil
  }

  /// `36s`, `1.2s`, `6m0s`, `120ms`, `2 minutes`: numbers and units, nothing else.
  static func duration(_ text: String) -> Duration? {
    var rest = text[...]
    guard let seconds = leadingSeconds(&rest), rest.allSatisfy(\.isWhitespace) else { return nil }
    return duration(seconds: seconds)
  }

  /// What a message asks for: `Please try again in 1.2s.`, `Please retry in 36.4s`, `retry after 5 seconds`.
  static func stated(in message: String) -> Duration? {
    let message = message.prefix(2000).lowercased()
    for phrase in ["try again in ", "retry in ", "retry after ", "try again after ", "retrying in "] {
      guard let place = message.ranges(of: phrase).first else { continue }
      var rest = message[place.upperBound...]
      if let seconds = leadingSeconds(&rest) { return duration(seconds: seconds) }
    }
    return nil
  }

  /// Reads as many numbers with a unit as follow each other.
  private static func leadingSeconds(_ rest: inout Substring) -> Double? {
    let units: [Substring: Double] = [
      "ms": 0.001, "millisecond": 0.001, "milliseconds": 0.001, "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "m": 60,
      "min": 60, "mins": 60, "minute": 60, "minutes": 60, "h": 3600, "hr": 3600, "hour": 3600, "hours": 3600, "d": 86_400, "day": 86_400,
      "days": 86_400,
    ]
    var total: Double?
    while true {
      let start = rest.drop(while: { $0 == " " })
      let digits = start.prefix { $0.isASCII && $0.isNumber || $0 == "." }
      let behind = start.dropFirst(digits.count).drop(while: { $0 == " " })
      let unit = behind.prefix { $0.isASCII && $0.isLetter }
      guard let amount = Double(digits), let scale = units[unit] else { return total }
      total = (total ?? 0) + amount * scale
      rest = behind.dropFirst(unit.count)
    }
  }

  /// `Sun, 06 Nov 1994 08:49:37 GMT` in seconds since 1970.
  private static func seconds(ofDate text: String) -> Int? {
    var parts = tm()
    // The format is fixed English, whatever the locale: parsed by hand, since strptime reads the locale's month names.
    let words = text.split(whereSeparator: { $0 == " " || $0 == ":" || $0 == "," })
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    guard words.count == 8, words[7] == "GMT", let day = Int32(words[1]), let month = months.firstIndex(of: String(words[2])),
      let year = Int32(words[3]), let hour = Int32(words[4]), let minute = Int32(words[5]), let second = Int32(words[6])
    else { return nil }
    (parts.tm_mday, parts.tm_mon, parts.tm_year) = (day, Int32(month), year - 1900)
    (parts.tm_hour, parts.tm_min, parts.tm_sec) = (hour, minute, second)
    let seconds = timegm(&parts)
    return seconds < 0 ? nil : Int(seconds)
  }
}
