import Chat
import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How long a server asks to be left alone: `retry-after-ms`, `retry-after` (seconds, or a date; RFC 9110, 10.2.3), and the
/// copy that gateways pass on. What is not a positive number or a date is ignored.
struct RetryAfter {
  let delay: Duration

  init?(head: ResponseHead) {
    self.init(
      milliseconds: head["retry-after-ms"], value: head["retry-after"] ?? head["llm_provider-retry-after"],
      now: Int(time(nil)))
  }

  /// - Parameter now: seconds since 1970.
  init?(milliseconds: String?, value: String?, now: Int) {
    if let milliseconds = milliseconds.flatMap(Double.init), milliseconds > 0, milliseconds < 1e9 {
      delay = .milliseconds(Int(milliseconds.rounded(.up)))
    } else if let seconds = value.flatMap(Double.init), seconds > 0, seconds < 1e7 {
      delay = .milliseconds(Int((seconds * 1000).rounded(.up)))
    } else if let date = value.flatMap(RetryAfter.seconds(ofDate:)), date > now {
      delay = .seconds(date - now)
    } else {
      return nil
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
