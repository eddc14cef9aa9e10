import Chat
import JSON

/// The body of `POST /chat/completions` (OpenAI API reference, "Create chat completion").
enum OpenAIRequest {
  static func body(_ request: ChatRequest) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(256 + request.messages.reduce(0) { $0 + $1.text.utf8.count })
    out.append(contentsOf: #"{"model":"#.utf8)
    JSONString.encode(request.model.name, to: &out)
    out.append(contentsOf: #","messages":["#.utf8)
    for (index, message) in request.messages.enumerated() {
      if index > 0 { out.append(UInt8(ascii: ",")) }
      out.append(contentsOf: #"{"role":""#.utf8)
      out.append(contentsOf: message.role.rawValue.utf8)
      out.append(contentsOf: #"","content":"#.utf8)
      JSONString.encode(message.text, to: &out)
      out.append(UInt8(ascii: "}"))
    }
    out.append(UInt8(ascii: "]"))
    let sampling = request.sampling
    if let value = sampling.temperature { out.append(contentsOf: #","temperature":\#(value)"#.utf8) }
    if let value = sampling.topP { out.append(contentsOf: #","top_p":\#(value)"#.utf8) }
    // `max_completion_tokens` is newer, but only OpenAI itself knows it.
    if let value = sampling.maxTokens { out.append(contentsOf: #","max_tokens":\#(value)"#.utf8) }
    if let value = sampling.seed { out.append(contentsOf: #","seed":\#(value)"#.utf8) }
    if !sampling.stop.isEmpty {
      out.append(contentsOf: #","stop":"#.utf8)
      JSONValue.array(sampling.stop.map(JSONValue.string)).write(to: &out)
    }
    if request.streams { out.append(contentsOf: #","stream":true,"stream_options":{"include_usage":true}"#.utf8) }
    out.append(UInt8(ascii: "}"))
    return out
  }
}
