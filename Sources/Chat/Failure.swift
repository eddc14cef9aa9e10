import Secrets

/// What is wrong with a row: one closed set, used in reply fields, tables, callbacks and exit messages.
///
/// Most kinds say that there is *no answer* (`Attempt.failure`): the row failed and has no data. Three say that the model answered,
/// and not as asked (`Attempt.wrong`, `isWrongAnswer`): the row is data and counts in every denominator.
public enum FailureKind: String, Sendable, CaseIterable {
  case connection, tls, timeout
  case rateLimited = "rate-limited"
  case quota, overloaded, server
  case badRequest = "bad-request"
  case auth
  case notFound = "not-found"
  case tooLong = "too-long"
  case truncated, malformed, cancelled
  /// The row was never sent: a stop, a brake or a budget came before its turn.
  case notSent = "not-sent"
  /// The prompt could not be made, or a function failed: nothing that a server did.
  case script
  // Wrong answers: what came is the row's data.
  /// The model or a content filter declined.
  case refused
  /// It stopped without a word.
  case empty
  /// The answer is not of the form that was asked for.
  case parse

  /// Whether the model answered, and not as asked. Else there is no answer.
  public var isWrongAnswer: Bool {
    switch self {
    case .refused, .empty, .parse: true
    default: false
    }
  }

  /// Whether the same request may well succeed a little later.
  public var isTransient: Bool {
    switch self {
    case .connection, .timeout, .rateLimited, .overloaded, .server, .truncated, .malformed: true
    case .tls, .quota, .badRequest, .auth, .notFound, .tooLong, .refused, .empty, .parse, .cancelled, .notSent, .script: false
    }
  }

  /// What the user can do about it.
  public var advice: String {
    switch self {
    case .connection: "is the server running, and its address right? `use URL` sets it"
    case .tls: "the server's certificate could not be verified; SSL_CERT_FILE, SSL_CERT_DIR or CURL_CA_BUNDLE name your own"
    case .timeout: "`set timeout`, `set first-token-timeout`, `set idle-timeout` and `set connect-timeout` are the limits"
    case .rateLimited:
      "a longer `set max-wait` is more patient, where `set retries` is not 0; `set rps` or `set rpm` asks less of the server"
    case .quota: "the account is out of credit, or `set budget` is; no retry will help"
    case .overloaded, .server: "the server's own trouble; a later try may go well"
    case .badRequest: "the server did not accept the request; see its message"
    case .auth:
      "the key is missing or wrong: `use` shows which variable of the environment holds it, `use URL --key-env VARIABLE` names another"
    case .notFound: "`models` lists what the server has; the base URL usually ends in /v1"
    case .tooLong: "shorten the prompt or take a model with a larger context"
    case .refused: "the provider's content filter stopped it"
    case .truncated: "the stream ended before its finish reason; a later try may go well"
    case .malformed: "the server did not answer as a model server does; is the base URL right?"
    case .parse: "the reply is not of the form that --as asked for; its text is kept"
    case .cancelled, .notSent: "its prompt was not sent, or nobody waited for what came"
    case .script: "the script's own mistake: no server has a part in it"
    case .empty: "the model stopped without a word; a higher `max-tokens` or another prompt may bring one"
    }
  }
}

/// A failed call: its kind, the server's or library's own words (cut, without control characters), what the server said about retrying.
///
/// Kept in one place that copies share: whatever hands an answer on has room for a failure, and most have none.
public struct Failure: Error, Sendable, CustomStringConvertible {
  private var parts: CopyOnWrite<Parts>

  private struct Parts: Equatable {
    var kind: FailureKind
    var message: String
    var status: Int?
    var retryAfter: Duration?
    var shouldRetry: Bool?
    var detail: Detail?
  }

  public var kind: FailureKind {
    get { parts.value.kind }
    set { parts.value.kind = newValue }
  }

  public var message: String {
    get { parts.value.message }
    set { parts.value.message = newValue }
  }

  /// HTTP status, where there was one.
  public var status: Int? {
    get { parts.value.status }
    set { parts.value.status = newValue }
  }

  /// The shortest wait before another try that the server asked for.
  public var retryAfter: Duration? {
    get { parts.value.retryAfter }
    set { parts.value.retryAfter = newValue }
  }

  /// What the server said of another try (`x-should-retry`), or what is known here: nil where neither says anything.
  public var shouldRetry: Bool? {
    get { parts.value.shouldRetry }
    set { parts.value.shouldRetry = newValue }
  }

  /// Where in the call it failed, as far as limits care.
  public var detail: Detail? {
    get { parts.value.detail }
    set { parts.value.detail = newValue }
  }

  public enum Detail: Sendable, Equatable {
    /// Nobody could connect: nothing was sent.
    case unreachable
    /// No first token in time.
    case firstToken
    /// This machine's own trouble: the server has no part in it.
    case ours
    /// The proxy's, not the server's.
    case proxy
    /// An address that is none, of the server or of the proxy: nothing was sent.
    case address
  }

  /// What the user can do about it.
  public var advice: String {
    switch detail {
    case .ours: "that is this machine's, not the server's: nothing was sent"
    case .proxy: "`http_proxy` and `https_proxy` hold the proxy's address, with the name and password it wants"
    case .address: "nothing was sent: `use URL`, or the variable that it names, holds the address"
    case .unreachable, .firstToken, nil: kind.advice
    }
  }

  public init(_ kind: FailureKind, _ message: String, status: Int? = nil, retryAfter: Duration? = nil) {
    parts = CopyOnWrite(Parts(kind: kind, message: Failure.clean(Redactor.hide(message)), status: status, retryAfter: retryAfter))
  }

  public var description: String {
    status.map { "\(kind.rawValue) (HTTP \($0)): \(message)" } ?? "\(kind.rawValue): \(message)"
  }

  /// At most 300 characters on one line, every control character a space.
  private static func clean(_ text: String) -> String {
    var out = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(301) {
      let isControl =
        scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
        || (0x2066...0x2069).contains(scalar.value)
      out.append(isControl ? " " : scalar)
    }
    return out.count > 300 ? String(String(out).prefix(300)) + "…" : String(out)
  }
}

extension Failure: Equatable {
  public static func == (a: Failure, b: Failure) -> Bool { a.parts.isSame(as: b.parts) || a.parts.value == b.parts.value }
}
