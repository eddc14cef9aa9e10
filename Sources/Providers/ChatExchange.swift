import Chat
import Transport

/// One call on the wire: feeds the dialect's decoder as bytes come, passes text on to whoever watches, notes the first content.
///
/// `@unchecked Sendable`: the curl thread alone touches it from the start of the transfer until `Transfer.run` returns; after that
/// only the task that ran it does. The transfer's hand-over orders the two.
final class ChatExchange: ResponseHandler, @unchecked Sendable {
  private(set) var decoder: any ReplyDecoder
  private let feed: TokenFeed?
  private let start = ContinuousClock.now
  private(set) var ttft: Duration?
  private var stated: StatedLimits?
  /// How much of the text has been passed on.
  private var shown = 0

  init(decoder: any ReplyDecoder, feed: TokenFeed?) {
    self.decoder = decoder
    self.feed = feed
  }

  func received(head: ResponseHead) {
    decoder.begin(head)
    stated = RateHeaders.read(head)
    stated?.after = start.duration(to: .now)
  }

  var isWaiting: Bool { !decoder.hasBegun }
  var progress: Int? { decoder.progress }

  func received(body: UnsafeRawBufferPointer) -> BodyVerdict {
    decoder.feed(body)
    if decoder.isHopeless { return .stop }
    if ttft == nil, decoder.progress > 0 { ttft = start.duration(to: .now) }
    let isLagging = show(whole: false)
    if decoder.isEnded { return .complete }
    return isLagging ? .pause : .proceed
  }

  /// Passes on what is new; half a character waits for its other half.
  ///
  /// - Returns: whether the reader lags.
  private func show(whole: Bool) -> Bool {
    guard let feed else { return false }
    let end = whole ? decoder.text.count : decoder.text.wholeCharacters
    guard end > shown else { return false }
    defer { shown = end }
    return feed.push(decoder.text[shown..<end]) == .pause
  }

  func turnEnded() {
    feed?.flush()
  }

  func finish(_ result: TransferResult) -> Attempt {
    var attempt = decoder.finish(result.error)
    // From the same moment as ttft, so that one is never longer than the other.
    attempt.latency = start.duration(to: .now)
    // An answer that came whole, or a last event without its blank line, is text only now.
    if ttft == nil, !decoder.text.isEmpty { ttft = attempt.latency }
    _ = show(whole: true)
    attempt.ttft = ttft
    attempt.stated = stated
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
