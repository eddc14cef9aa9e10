import Chat

/// What servers of one dialect differ in, as far as a request's body goes.
struct BodyForm: Sendable, Equatable {
  enum MaxTokens: String, Sendable {
    case old = "max_tokens"
    case new = "max_completion_tokens"
  }

  var maxTokens = MaxTokens.old
  /// Whether `stream_options` asks for the count of tokens.
  var asksForUsage = true

  init() {}

  /// - Parameter host: of the address. Only where it is known to want it is the newer name of `max_tokens` sent: elsewhere it might be
  ///   passed over in silence, and replies would have no limit.
  init(host: String) {
    let isNew = ["api.openai.com", "api.x.ai", "api.cerebras.ai"].contains(host) || host.hasSuffix(".openai.azure.com")
    if isNew { maxTokens = .new }
  }

  /// The form that a refusal asks for; nil where it says nothing of that kind.
  ///
  /// OpenAI: `Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.`
  func mended(by failure: Failure?, for request: ChatRequest) -> BodyForm? {
    guard let failure, failure.kind == .badRequest, let status = failure.status, (400..<600).contains(status) else { return nil }
    let names = request.members.map(\.name)
    let message = failure.message.lowercased()
    var form = self
    if request.sampling.maxTokens != nil, !names.contains("max_tokens"), !names.contains("max_completion_tokens") {
      let namesNew = message.contains("max_completion_tokens")
      if maxTokens == .old, namesNew { form.maxTokens = .new } else if maxTokens == .new, namesNew { form.maxTokens = .old }
    }
    if request.streams, asksForUsage, !names.contains("stream_options"), message.contains("stream_options") { form.asksForUsage = false }
    return form == self ? nil : form
  }
}
