import Chat
import JSON
import Threads
import Transport

/// Speaks to the providers of a registry: the `ModelClient` of a session.
public final class ProviderClient: ModelClient {
  private let registry: Registry
  private let transport: HTTPTransport
  /// How each model of this session wants its requests, where it has said so.
  private let forms = Mutex<[Place: BodyForm]>([:])

  private struct Place: Hashable {
    var url: String
    var model: String
  }

  public init(registry: Registry, transport: HTTPTransport) {
    self.registry = registry
    self.transport = transport
  }

  public func send(_ request: ChatRequest, feed: TokenFeed?, activity: ReplyActivity?) async -> Attempt {
    defer { feed?.finish() }
    guard let endpoint = registry.endpoint(request.model.provider, at: request.directory) else {
      return Attempt(failure: Failure(.notFound, "there is no provider `\(request.model.provider)`"))
    }
    if let problem = endpoint.problem { return Attempt(failure: Failure(.auth, problem)) }
    let place = Place(url: endpoint.chat.url, model: request.model.name)
    var form = forms.withLock { $0[place] } ?? BodyForm(host: endpoint.chat.hostName)
    var request = request
    var mendings = 0
    while true {
      let answer = await send(request, form, to: endpoint, feed, activity)
      // A server may want the body otherwise, and say so: asked once more for each thing it names, and remembered.
      if mendings < 2, let mended = form.mended(by: answer.attempt.failure, for: request) {
        mendings += 1
        form = mended
        forms.withLock { $0[place] = mended }
      } else if answer.isEmptyStream, request.streams {
        // llama-cpp-python says nothing at all where a stream cannot be had, and why where it is asked for the whole.
        request.streams = false
        mendings = 2
      } else {
        return answer.attempt
      }
    }
  }

  private func send(
    _ request: ChatRequest, _ form: BodyForm, to endpoint: Registry.Endpoint, _ feed: TokenFeed?, _ activity: ReplyActivity?
  ) async -> (attempt: Attempt, isEmptyStream: Bool) {
    let exchange = ChatExchange(decoder: OpenAIDecoder(keepsThink: request.keepsThink), feed: feed, activity: activity)
    let transfer = transport.transfer(http(request, form, endpoint), handler: exchange)
    feed?.onDrain { transfer.resume() }
    let result = await transfer.run()
    return (exchange.finish(result), result.error == nil && exchange.isEmptyStream)
  }

  @inline(never)  // else it stands in the frame that waits for the answer
  private func http(_ request: ChatRequest, _ form: BodyForm, _ endpoint: Registry.Endpoint) -> HTTPRequest {
    let own = request.headers.map { (name: $0.name, value: $0.value.reveal()) }
    let headers = own.isEmpty ? endpoint.headers : endpoint.headers.replacing(own)
    var http = HTTPRequest(endpoint.chat, method: .post(OpenAIRequest.body(request, form)), headers: headers)
    http.deadlines.connect = request.timeouts.connect
    http.deadlines.firstToken = request.timeouts.firstToken
    http.deadlines.idle = request.timeouts.idle
    http.deadlines.total = request.timeouts.total
    return http
  }

  /// The names of the models that a provider says it has, sorted.
  public func models(of provider: String) async -> Result<[String], Failure> {
    guard let endpoint = registry.endpoint(provider) else {
      return .failure(Failure(.notFound, "there is no provider `\(provider)`"))
    }
    if let problem = endpoint.problem { return .failure(Failure(.auth, problem)) }
    let collector = BodyCollector()
    var http = HTTPRequest(endpoint.models, method: .get, headers: endpoint.headers)
    http.deadlines.total = .seconds(20)
    let result = await transport.transfer(http, handler: collector).run()
    let status = collector.head?.status
    if let failure = result.error.flatMap(Failure.init) { return .failure(failure) }
    guard let status, (200..<300).contains(status), let document = try? JSONValue(parsing: collector.body) else {
      guard let status, status >= 300 else {
        return .failure(Failure(.malformed, "\(endpoint.shown) did not answer with a list of models", status: status))
      }
      return .failure(FailureReader.read(status: status, body: collector.body, head: collector.head))
    }
    guard let list = document["data"]?.array else {
      return .failure(Failure(.malformed, "\(endpoint.shown) did not answer with a list of models", status: status))
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
