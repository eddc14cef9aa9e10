import Chat
import JSON

/// The body of `POST /chat/completions` (OpenAI API reference, "Create chat completion").
enum OpenAIRequest {
  static func body(_ request: ChatRequest, _ form: BodyForm = BodyForm()) -> [UInt8] {
    func isOurs(_ name: String) -> Bool { !request.members.contains { $0.name == name } }
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
    if let value = sampling.temperature, isOurs("temperature") { out.append(contentsOf: #","temperature":\#(value)"#.utf8) }
    if let value = sampling.topP, isOurs("top_p") { out.append(contentsOf: #","top_p":\#(value)"#.utf8) }
    if let value = sampling.maxTokens, isOurs("max_tokens"), isOurs("max_completion_tokens") {
      out.append(contentsOf: #","\#(form.maxTokens.rawValue)":\#(value)"#.utf8)
    }
    if let value = sampling.seed, isOurs("seed") { out.append(contentsOf: #","seed":\#(value)"#.utf8) }
    if !sampling.stop.isEmpty, isOurs("stop") {
      out.append(contentsOf: #","stop":"#.utf8)
      JSONValue.array(sampling.stop.map(JSONValue.string)).write(to: &out)
    }
    if request.streams {
      out.append(contentsOf: #","stream":true"#.utf8)
      if form.asksForUsage, isOurs("stream_options") { out.append(contentsOf: #","stream_options":{"include_usage":true}"#.utf8) }
    }
    for member in request.members where member.json != "null" {
      out.append(UInt8(ascii: ","))
      JSONString.encode(member.name, to: &out)
      out.append(UInt8(ascii: ":"))
      out.append(contentsOf: member.json.utf8)
    }
    out.append(UInt8(ascii: "}"))
    return out
  }
}
