import Chat
import Secrets
import Transport

/// One call on the wire: feeds the dialect's decoder as bytes come, passes text on to whoever watches, notes the first content.
///
/// `@unchecked Sendable`: the curl thread alone touches it from the start of the transfer until `Transfer.run` returns; after that
/// only the task that ran it does. The transfer's hand-over orders the two.
final class ChatExchange: ResponseHandler, @unchecked Sendable {
  private let decoder: any ReplyDecoder
  private let feed: TokenFeed?
  private let activity: ReplyActivity?
  private let start = ContinuousClock.now
  private(set) var ttft: Duration?
  private var stated: StatedLimits?
  /// The decoder's progress when it was last looked at.
  private var progressed = 0
  /// How much of the text has been passed on.
  private var shown = 0

  init(decoder: any ReplyDecoder, feed: TokenFeed?, activity: ReplyActivity? = nil) {
    self.decoder = decoder
    (self.feed, self.activity) = (feed, activity)
  }

  func received(head: ResponseHead) {
    decoder.begin(head)
    stated = RateHeaders.read(head)
    stated?.after = start.duration(to: .now)
  }

  /// It was to be a stream of events, and not one byte came.
  var isEmptyStream: Bool { decoder.isEmptyStream }
  var isWaiting: Bool { !decoder.hasBegun }
  var progress: Int? { decoder.progress }

  func received(body: UnsafeRawBufferPointer) -> BodyVerdict {
    decoder.feed(body)
    if decoder.isHopeless { return .stop }
    let progress = decoder.progress
    if progress != progressed {
      progressed = progress
      activity?.note()
      if ttft == nil { ttft = start.duration(to: .now) }
    }
    let isLagging = show(whole: false)
    if decoder.isEnded { return .complete }
    return isLagging ? .pause : .proceed
  }

  /// Passes on what is new, without the keys that a server may repeat: half a character waits for its other half, and what may be the
  /// beginning of a key for the rest of it.
  ///
  /// - Returns: whether the reader lags.
  private func show(whole: Bool) -> Bool {
    guard let feed else { return false }
    let text = decoder.text
    let end = whole ? text.count : min(text.wholeCharacters, text.count - Redactor.undecided(text[shown...]))
    guard end > shown else { return false }
    defer { shown = end }
    let new = text[shown..<end]
    return (Redactor.hidden(inReply: Array(new)).map { feed.push($0) } ?? feed.push(new)) == .pause
  }

  func turnEnded() {
    feed?.flush()
  }

  private static func hidden(_ text: String) -> String {
    if text.isEmpty { return text }
    return Redactor.hidden(inReply: Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) } ?? text
  }

  func finish(_ result: TransferResult) -> Attempt {
    var attempt = decoder.finish(result.error)
    // From the same moment as ttft, so that one is never longer than the other.
    let latency = start.duration(to: .now)
    // An answer that came whole, or a last event without its blank line, is text only now.
    let ttft = ttft ?? (decoder.text.isEmpty ? nil : latency)
    _ = show(whole: true)
    attempt.arrived(
      text: Self.hidden(attempt.text), reasoning: Self.hidden(attempt.reasoning), ttft: ttft, latency: latency, stated: stated)
    return attempt
  }
}

extension [UInt8] {
  /// How many bytes there are up to the end of the last whole UTF-8 character.
  fileprivate var wholeCharacters: Int {
    var start = count
    while start > 0, count - start < 3, self[start - 1] & 0xC0 == 0x80 { start -= 1 }
    guard start > 0 else { return count }
    let needed: Int
    switch self[start - 1] {
    case 0xC2...0xDF: needed = 2
    case 0xE0...0xEF: needed = 3
    case 0xF0...0xF4: needed = 4
    default: return count
    }
    return count - start + 1 < needed ? start - 1 : count
  }
}
