import JSON

/// One reply, worked out from model, messages and seed before its first byte is sent.
struct SimulatedReply: Sendable {
  let model: String
  let id: String
  let tokens: [String]
  let finish: String
  let promptTokens: Int
  let includesUsage: Bool
  let ttft: Int64
  let gap: Int64
  let fault: Faults.Fault?

  init(model: SimulatedModel, document: JSONValue, messages: [JSONValue], log: SimulatorLog) {
    let words = messages.map { ($0["role"]?.string ?? "") + ":" + ($0["content"]?.string ?? $0["content"]?.text ?? "") }.joined(
      separator: "\n")
    let seed = document["seed"]?.text ?? ""
    let hash = stableHash(model.name, words, seed)
    var prose = Prose(seed: hash)
    self.model = model.name
    id = "sim-" + String(hash, radix: 16)
    promptTokens = max(1, words.utf8.count / 4)
    ttft = Int64(prose.int(model.ttft))
    gap = Int64(prose.int(model.gap))
    var tokens = prose.tokens(prose.int(model.length))
    var finish = "stop"
    if case .int(let most)? = document["max_tokens"], most < tokens.count {
      tokens = Array(tokens.prefix(max(0, most)))
      finish = "length"
    }
    self.tokens = tokens
    self.finish = finish
    includesUsage = document["stream_options"]?["include_usage"] == .bool(true)
    var draw = Prose(seed: hash &+ UInt64(log.occurrence(of: hash)) &* 0x1000_0000_01B3)
    fault = model.faults.fault(draw.fraction())
  }

  /// One `chat.completion.chunk` event.
  func chunk(_ index: Int) -> [UInt8] {
    event { out in
      out.append(contentsOf: #""choices":[{"index":0,"delta":{"content":"#.utf8)
      JSONString.encode(tokens[index], to: &out)
      out.append(contentsOf: #"},"finish_reason":null}]"#.utf8)
    }
  }

  /// Finish reason, usage where it was asked for, and the end mark.
  func ending() -> [UInt8] {
    var out = event { $0.append(contentsOf: #""choices":[{"index":0,"delta":{},"finish_reason":"\#(finish)"}]"#.utf8) }
    if includesUsage { out += event { $0.append(contentsOf: #""choices":[],"usage":\#(usage)"#.utf8) } }
    out.append(contentsOf: "data: [DONE]\n\n".utf8)
    return out
  }

  func document() -> JSONValue {
    let message = JSONValue.object([("role", .string("assistant")), ("content", .string(tokens.joined()))])
    let choice = JSONValue.object([("index", .int(0)), ("message", message), ("finish_reason", .string(finish))])
    let counts = JSONValue.object([
      ("prompt_tokens", .int(promptTokens)), ("completion_tokens", .int(tokens.count)), ("total_tokens", .int(promptTokens + tokens.count)),
    ])
    return .object([
      ("id", .string(id)), ("object", .string("chat.completion")), ("model", .string(model)), ("choices", .array([choice])),
      ("usage", counts),
    ])
  }

  private var usage: String {
    #"{"prompt_tokens":\#(promptTokens),"completion_tokens":\#(tokens.count),"total_tokens":\#(promptTokens + tokens.count)}"#
  }

  private func event(_ members: (inout [UInt8]) -> Void) -> [UInt8] {
    var out: [UInt8] = []
    out.append(contentsOf: #"data: {"id":"\#(id)","object":"chat.completion.chunk","model":"\#(model)","#.utf8)
    members(&out)
    out.append(contentsOf: "}\n\n".utf8)
    return out
  }
}
