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

  func received(body: UnsafeRawBufferPointer) -> BodyVerdict {
    let before = decoder.text.count
    decoder.feed(body)
    if decoder.isHopeless { return .stop }
    guard decoder.text.count > before else { return .proceed }
    if ttft == nil { ttft = start.duration(to: .now) }
    guard let feed else { return .proceed }
    return feed.push(decoder.text[before...]) == .pause ? .pause : .proceed
  }

  func turnEnded() {
    feed?.flush()
  }

  func finish(_ result: TransferResult) -> Attempt {
    let before = decoder.text.count
    var attempt = decoder.finish(result.error)
    // From the same moment as ttft, so that one is never longer than the other.
    attempt.latency = start.duration(to: .now)
    // An answer that came whole, or a last event without its blank line, is text only now.
    if decoder.text.count > before {
      if ttft == nil { ttft = attempt.latency }
      _ = feed?.push(decoder.text[before...])
    }
    attempt.ttft = ttft
    attempt.stated = stated
    feed?.finish()
    return attempt
  }
}
