import Chat
import Transport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What an answer's headers say of the server's limits.
///
/// `x-ratelimit-{limit,remaining,reset}-{requests,tokens}` (OpenAI and those who copy it; a reset is `6m0s` or `120ms`, elsewhere
/// seconds), `anthropic-ratelimit-{requests,tokens}-{limit,remaining,reset}` (a reset is an RFC 3339 time). `-1`, and a limit of
/// which nothing remains without a reset, are nonsense that some send: ignored.
enum RateHeaders {
  static func read(_ head: ResponseHead) -> StatedLimits? {
    guard head.mentions("ratelimit-") else { return nil }
    let now = wallClock()
    let stated = StatedLimits(requests: amount("requests", head, now), tokens: amount("tokens", head, now))
    return stated.requests == nil && stated.tokens == nil ? nil : stated
  }

  private static func amount(_ what: String, _ head: ResponseHead, _ now: Double) -> StatedLimits.Amount? {
    func header(_ part: String) -> String? { head["x-ratelimit-\(part)-\(what)"] ?? head["anthropic-ratelimit-\(what)-\(part)"] }
    guard let remaining = header("remaining").flatMap(Int.init), remaining >= 0 else { return nil }
    let limit = header("limit").flatMap(Int.init).flatMap { $0 > 0 ? $0 : nil }
    let reset = header("reset").flatMap { self.reset($0, now: now) }
    if reset == nil { return nil }
    return StatedLimits.Amount(limit: limit, remaining: remaining, reset: reset)
  }

  /// - Parameter now: seconds since 1970.
  static func reset(_ text: String, now: Double) -> Duration? {
    if let number = Double(text) { return RetryAfter.duration(seconds: number > 1e9 ? number - now : number) }
    if text.contains("T"), let moment = rfc3339(text) { return RetryAfter.duration(seconds: moment - now) }
    var seconds = 0.0
    var rest = text[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isNumber || $0 == "." }
      guard let amount = Double(digits) else { return nil }
      rest = rest.dropFirst(digits.count)
      let unit = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(unit.count)
      guard let scale = ["d": 86400.0, "h": 3600, "m": 60, "s": 1, "ms": 0.001][unit] else { return nil }
      seconds += amount * scale
    }
    return RetryAfter.duration(seconds: seconds)
  }

  /// `2026-01-31T23:59:59Z` in seconds since 1970; fractions and offsets are accepted.
  private static func rfc3339(_ text: String) -> Double? {
    let numbers = text.split { !$0.isNumber }.compactMap { Int32($0) }
    guard numbers.count >= 6, text.count >= 20 else { return nil }
    var parts = tm()
    (parts.tm_year, parts.tm_mon, parts.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
    (parts.tm_hour, parts.tm_min, parts.tm_sec) = (numbers[3], numbers[4], numbers[5])
    var seconds = Double(timegm(&parts))
    let zone = text.dropFirst(19).drop { $0 == "." || $0.isNumber }
    if let sign = zone.first, sign == "+" || sign == "-" {
      let offset = zone.dropFirst().split(separator: ":").compactMap { Double($0) }
      guard offset.count == 2 else { return nil }
      seconds -= (sign == "-" ? -1 : 1) * (offset[0] * 3600 + offset[1] * 60)
    }
    return seconds
  }

  private static func wallClock() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
  }
}
