import Chat
import JSON
import Transport

/// Speaks to the providers of a registry: the `ModelClient` of a session.
public final class ProviderClient: ModelClient {
  private let registry: Registry
  private let transport: HTTPTransport

  public init(registry: Registry, transport: HTTPTransport) {
    self.registry = registry
    self.transport = transport
  }

  public func send(_ request: ChatRequest, feed: TokenFeed?) async -> Attempt {
    guard let endpoint = registry.endpoint(request.model.provider, at: request.directory) else {
      feed?.finish()
      return Attempt(failure: Failure(.notFound, "there is no provider `\(request.model.provider)`"))
    }
    var http = HTTPRequest(endpoint.chat, method: .post(OpenAIRequest.body(request)), headers: endpoint.headers)
    http.deadlines.connect = request.timeouts.connect
    http.deadlines.firstToken = request.timeouts.firstToken
    http.deadlines.idle = request.timeouts.idle
    http.deadlines.total = request.timeouts.total
    let exchange = ChatExchange(decoder: OpenAIDecoder(), feed: feed)
    let transfer = transport.transfer(http, handler: exchange)
    feed?.onDrain { transfer.resume() }
    return exchange.finish(await transfer.run())
  }

  /// The names of the models that a provider says it has, sorted.
  public func models(of provider: String) async -> Result<[String], Failure> {
    guard let endpoint = registry.endpoint(provider) else {
      return .failure(Failure(.notFound, "there is no provider `\(provider)`"))
    }
    let collector = BodyCollector()
    var http = HTTPRequest(endpoint.models, method: .get, headers: endpoint.headers)
    http.deadlines.total = .seconds(20)
    let result = await transport.transfer(http, handler: collector).run()
    let status = collector.head?.status
    if let failure = result.error.flatMap(Failure.init) { return .failure(failure) }
    guard let status, (200..<300).contains(status), let document = try? JSONValue(parsing: collector.body) else {
      guard let status, status >= 300 else {
        return .failure(Failure(.malformed, "\(endpoint.models.url) did not answer with a list of models", status: status))
      }
      return .failure(FailureReader.read(status: status, body: collector.body, head: collector.head))
    }
    guard let list = document["data"]?.array else {
      return .failure(Failure(.malformed, "\(endpoint.models.url) did not answer with a list of models", status: status))
    }
    return .success(list.compactMap { $0["id"]?.string }.sorted())
  }
}

/// Keeps an answer whole. `@unchecked Sendable` for the same reason as `ChatExchange`.
private final class BodyCollector: ResponseHandler, @unchecked Sendable {
  var head: ResponseHead?
  var body: [UInt8] = []

  func received(head: ResponseHead) {
    self.head = head
  }

  func received(body bytes: UnsafeRawBufferPointer) -> BodyVerdict {
    body.append(contentsOf: bytes)
    return .proceed
  }

  func turnEnded() {}
}
