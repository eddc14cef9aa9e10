/// A request as the transport carries it. Immutable once made, so that libcurl may point into it while it runs.
public struct HTTPRequest: Sendable {
  public enum Method: Sendable, Equatable {
    case get
    case post([UInt8])
  }

  public var address: HTTPAddress
  public var method: Method
  public var headers: HeaderList
  public var deadlines = Deadlines()
  /// Bytes of body that are read at most; more ends the transfer with `.tooLarge`.
  public var maximumBody = 64 << 20
  /// Bytes of headers, likewise.
  public var maximumHead = 256 << 10

  public init(_ address: HTTPAddress, method: Method, headers: HeaderList) {
    self.address = address
    self.method = method
    self.headers = headers
  }
}

/// How long the parts of a transfer may take; nil is no limit. Looked at in a sweep over what is live, not by a timer each
/// (libcurl's own LOW_SPEED timers cost 12 µs a second for every stream).
public struct Deadlines: Sendable, Equatable {
  public var connect: Duration? = .seconds(10)
  /// Until the handler says that what was asked for has begun to come. Whatever else comes meanwhile begins it anew, up to `total`;
  /// where that is no limit, up to `patience` times this.
  public var firstToken: Duration?
  public var idle: Duration?
  public var total: Duration?

  public init() {}

  /// How many times `firstToken` signs of life alone can hold a transfer: a server's queue may be long, and is not endless.
  public static let patience = 10

  var shortest: Duration? {
    var shortest = firstToken
    if let idle { shortest = min(shortest ?? idle, idle) }
    if let total { shortest = min(shortest ?? total, total) }
    return shortest
  }
}

/// Why a transfer ended without an answer, or before its end.
public enum TransportError: Error, Sendable, Equatable {
  public enum Deadline: String, Sendable { case connect, firstToken = "first token", idle, total }

  /// libcurl could not be loaded.
  case unavailable(String)
  case badURL(String)
  /// Name not resolved, connection refused or unreachable.
  case connection(String)
  case tls(String)
  /// A proxy wants another name or password than it was given.
  case proxyRefused(String)
  case timedOut(Deadline, after: Duration)
  /// The connection ended, or broke its own framing, within the answer.
  case broken(String)
  case tooLarge(String)
  /// Descriptors ran out.
  case noDescriptors
  case cancelled
  /// The handler answered `.stop`.
  case stopped
}

/// How a transfer went.
public struct TransferResult: Sendable {
  /// Nil for an answer that came whole.
  public var error: TransportError?
  /// From the start of the transfer to its end.
  public var duration: Duration
}
