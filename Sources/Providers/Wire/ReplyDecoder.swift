import Chat
import Transport

/// A dialect's half of an exchange: bytes of an answer in, an `Attempt` out. Fed on the curl thread, tested without one.
///
/// An object: as a value behind `any`, the whole of it would be copied for each question that is asked of it.
protocol ReplyDecoder: AnyObject {
  /// The answer's text so far, as UTF-8; what `feed` appended is what a reader of the stream has not seen.
  var text: [UInt8] { get }
  /// Whether the answer itself has begun: its first token, or the first byte of one that comes whole.
  var hasBegun: Bool { get }
  /// How often something of the answer came: comments and empty events do not count.
  var progress: Int { get }
  /// What came can never become an answer: the transfer may end.
  var isHopeless: Bool { get }
  /// Nothing that can still come changes what the row says.
  var isEnded: Bool { get }
  /// The model has stopped, and only its count of tokens and the mark of the end are to come.
  var hasFinished: Bool { get }
  /// It was to be a stream of events, and not one byte came.
  var isEmptyStream: Bool { get }
  func begin(_ head: ResponseHead)
  func feed(_ bytes: UnsafeRawBufferPointer)
  /// What the answer was, when `error` (nil for a clean end) ended it. Timings are left to the caller.
  func finish(_ error: TransportError?) -> Attempt
}

extension Failure {
  /// What ended a transfer, in the words of the reply. Nil where we stopped it ourselves.
  init?(_ error: TransportError) {
    switch error {
    case .unavailable(let words):
      self.init(.connection, words)
      detail = .ours
      // A library that is missing, or a thread that is not given, is no more there a moment later.
      shouldRetry = false
    case .badURL(let words):
      self.init(.badRequest, words)
      detail = .address
    case .connection(let words):
      self.init(.connection, words)
      detail = .unreachable
    case .tls(let words): self.init(.tls, words)
    case .proxyRefused(let words):
      self.init(.auth, words)
      detail = .proxy
    case .timedOut(let deadline, let after):
      self.init(.timeout, "\(deadline.rawValue) timeout after \(after)")
      switch deadline {
      case .firstToken: detail = .firstToken
      case .connect: detail = .unreachable
      case .idle, .total: break
      }
    case .broken(let words): self.init(.connection, words)
    case .tooLarge(let words): self.init(.malformed, "the answer was too large: \(words)")
    case .noDescriptors:
      self.init(.connection, "no file descriptors are left; raise `ulimit -n` or lower the concurrency")
      detail = .ours
    case .cancelled: self.init(.cancelled, "cancelled")
    case .stopped: return nil
    }
  }
}
