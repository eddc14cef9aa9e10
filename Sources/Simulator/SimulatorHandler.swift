import JSON
import NIOCore
import NIOHTTP1

/// Answers the requests of one connection, one after the other. Confined to the connection's event loop.
final class SimulatorHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let models: [SimulatedModel]
  private let log: SimulatorLog
  private let allowance: AllowanceBook?
  private var stated: [(String, String)] = []
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()
  private var isAnswering = false
  private var scheduled: Scheduled<Void>?

  private static let maximumBody = 32 << 20

  init(models: [SimulatedModel], log: SimulatorLog, allowance: AllowanceBook?) {
    self.models = models
    self.log = log
    self.allowance = allowance
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var part):
      if body.readableBytes + part.readableBytes > Self.maximumBody { return context.close(promise: nil) }
      body.writeBuffer(&part)
    case .end:
      guard let head else { return }
      answer(head, context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    scheduled?.cancel()
    if isAnswering { log.ended(\.abandoned) }
    isAnswering = false
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let path = head.uri.split(separator: "?").first.map(String.init) ?? "/"
    switch (head.method, path) {
    case (.POST, "/v1/chat/completions"): complete(context)
    case (.GET, "/v1/models"):
      let list = models.map {
        JSONValue.object([("id", .string($0.name)), ("object", .string("model")), ("owned_by", .string("promptsh"))])
      }
      send(.ok, .object([("object", .string("list")), ("data", .array(list))]), context)
    case (.GET, "/stats"):
      let counts = log.counts
      send(
        .ok,
        .object([
          ("requests", .int(counts.requests)), ("completed", .int(counts.completed)), ("refused", .int(counts.refused)),
          ("abandoned", .int(counts.abandoned)), ("live", .int(counts.live)), ("most_live", .int(counts.mostLive)),
        ]), context)
    default: refuse(.notFound, "there is no \(head.method) \(path)", "not_found_error", context)
    }
  }

  private func complete(_ context: ChannelHandlerContext) {
    log.began()
    isAnswering = true
    guard let document = try? JSONValue(parsing: body.readableBytesView) else {
      return end(refusing: .badRequest, "the body is not JSON", "invalid_request_error", context)
    }
    guard let asked = document["model"]?.string, let model = models.first(where: { $0.name == asked }) else {
      return end(
        refusing: .notFound, "there is no model `\(document["model"]?.string ?? "")`; there is: story, fast, flaky", "model_not_found",
        context)
    }
    guard let messages = document["messages"]?.array, !messages.isEmpty else {
      return end(refusing: .badRequest, "'messages' is required", "invalid_request_error", context)
    }
    stated = []
    switch allowance?.take() {
    case .granted(let headers)?: stated = headers
    case .limited(let headers)?: return end(refusing: .tooManyRequests, "Rate limit reached for requests", "requests", context, headers)
    case .burst(let status)?:
      let overloaded = status == 529
      return end(
        refusing: HTTPResponseStatus(statusCode: status), overloaded ? "Overloaded" : "Too many requests",
        overloaded ? "overloaded_error" : "requests", context)
    case nil: break
    }
    let reply = SimulatedReply(model: model, document: document, messages: messages, log: log)
    switch reply.fault {
    case .rateLimited:
      let headers = [("Retry-After", "1")]
      return end(refusing: .tooManyRequests, "simulated rate limit", "rate_limit_exceeded", context, headers)
    case .server: return end(refusing: .internalServerError, "simulated server error", "server_error", context)
    case .cut, .stall, nil: break
    }
    let isStream = document["stream"] == .bool(true)
    if isStream { stream(reply, context) } else { whole(reply, context) }
  }

  // MARK: answers

  private func whole(_ reply: SimulatedReply, _ context: ChannelHandlerContext) {
    let wait = reply.ttft + reply.gap * Int64(reply.tokens.count)
    later(wait, context) { handler, context in
      if reply.fault == .cut { return context.close(promise: nil) }
      if reply.fault == .stall { return }
      handler.finish(\.completed)
      handler.send(.ok, reply.document(), context, handler.stated)
    }
  }

  private func stream(_ reply: SimulatedReply, _ context: ChannelHandlerContext) {
    var headers = HTTPHeaders([("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")] + stated)
    if reply.ttft == 0, reply.gap == 0, reply.fault == nil {
      // No timing to show: one write with its length known.
      var buffer = context.channel.allocator.buffer(capacity: 256 * reply.tokens.count)
      for index in reply.tokens.indices { buffer.writeBytes(reply.chunk(index)) }
      buffer.writeBytes(reply.ending())
      headers.add(name: "Content-Length", value: String(buffer.readableBytes))
      finish(\.completed)
      context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: .ok, headers: headers))), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
      return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
    headers.add(name: "Transfer-Encoding", value: "chunked")
    let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
    later(reply.ttft, context) { handler, context in
      context.writeAndFlush(handler.wrapOutboundOut(.head(head)), promise: nil)
      handler.token(0, of: reply, context)
    }
  }

  private func token(_ index: Int, of reply: SimulatedReply, _ context: ChannelHandlerContext) {
    if index == reply.tokens.count / 2 {
      if reply.fault == .cut { return context.close(promise: nil) }
      if reply.fault == .stall { return }
    }
    guard index < reply.tokens.count else {
      finish(\.completed)
      write(reply.ending(), context)
      return context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
    write(reply.chunk(index), context)
    later(reply.gap, context) { handler, context in handler.token(index + 1, of: reply, context) }
  }

  private func write(_ bytes: [UInt8], _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
  }

  private func later(
    _ milliseconds: Int64, _ context: ChannelHandlerContext, _ body: @escaping (SimulatorHandler, ChannelHandlerContext) -> Void
  ) {
    let bound = NIOLoopBound((self, context, body), eventLoop: context.eventLoop)
    scheduled = context.eventLoop.scheduleTask(in: .milliseconds(milliseconds)) {
      let (handler, context, body) = bound.value
      guard context.channel.isActive else { return }
      body(handler, context)
    }
  }

  private func finish(_ outcome: WritableKeyPath<SimulatorLog.Counts, Int>) {
    guard isAnswering else { return }
    isAnswering = false
    log.ended(outcome)
  }

  private func end(
    refusing status: HTTPResponseStatus, _ message: String, _ type: String, _ context: ChannelHandlerContext,
    _ headers: [(String, String)] = []
  ) {
    finish(\.refused)
    refuse(status, message, type, context, headers)
  }

  private func refuse(
    _ status: HTTPResponseStatus, _ message: String, _ type: String, _ context: ChannelHandlerContext, _ headers: [(String, String)] = []
  ) {
    let error = JSONValue.object([("message", .string(message)), ("type", .string(type)), ("code", .int(Int(status.code)))])
    send(status, .object([("error", error)]), context, headers)
  }

  private func send(_ status: HTTPResponseStatus, _ document: JSONValue, _ context: ChannelHandlerContext, _ extra: [(String, String)] = [])
  {
    let bytes = Array(document.text.utf8)
    var headers = HTTPHeaders([("Content-Type", "application/json"), ("Content-Length", String(bytes.count))])
    headers.add(contentsOf: extra)
    context.write(wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
