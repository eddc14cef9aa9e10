import Chat
import JSON

/// Takes what matters out of one `chat.completion.chunk`, or a whole `chat.completion`, without building a tree.
struct ChunkReader {
  private(set) var reasoning: [UInt8] = []
  private(set) var usage: Usage?
  private(set) var finish: FinishReason?
  private(set) var failure: Failure?
  /// The first thing that was not as it should be; it matters only if no finish reason comes.
  var problem: String?

  /// Reads the data of one event; its text is appended to `text`.
  mutating func read(_ data: UnsafeRawBufferPointer, into text: inout [UInt8]) {
    if data.elementsEqual("[DONE]".utf8) || data.isEmpty { return }
    readDocument(data, into: &text)
  }

  mutating func readDocument(_ data: UnsafeRawBufferPointer, into text: inout [UInt8]) {
    var cursor = JSONCursor(data)
    do throws(JSONError) {
      guard try cursor.peek() == .object else { throw JSONError("an object was expected", at: 0) }
      try members(&cursor, into: &text, of: data)
      try cursor.end()
    } catch {
      if problem == nil {
        problem = "the answer is not the JSON of a chat completion (\(error)): \(String(decoding: data.prefix(120), as: UTF8.self))"
      }
    }
  }

  private mutating func members(
    _ cursor: inout JSONCursor, into text: inout [UInt8], of data: UnsafeRawBufferPointer
  ) throws(JSONError) {
    try cursor.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
      if key.is("choices") {
        guard try value.peek() == .array else { return }
        try value.array { (_, choice: inout JSONCursor) throws(JSONError) in try readChoice(&choice, into: &text) }
      } else if key.is("usage") {
        guard try value.peek() == .object else { return }
        try readUsage(&value)
      } else if key.is("error") {
        guard try value.peek() != .null else { return }
        failure = FailureReader.failure(status: nil, document: try JSONValue(parsing: data))
      }
    }
  }

  private mutating func readChoice(_ choice: inout JSONCursor, into text: inout [UInt8]) throws(JSONError) {
    guard try choice.peek() == .object else { return }
    // With `n` > 1 the answers are interleaved, and only the first is ours. `index` may follow what it governs: what was read for
    // another answer is taken back.
    let (textBefore, reasoningBefore, finishBefore) = (text.count, reasoning.count, finish)
    var index: Int? = 0
    try choice.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
      if key.is("delta") || key.is("message") {
        guard try value.peek() == .object else { return }
        try readMessage(&value, into: &text)
      } else if key.is("finish_reason") {
        guard try value.peek() == .string else { return }
        finish = FinishReason(try value.string())
      } else if key.is("index"), try value.peek() == .number {
        index = try value.int()
      }
    }
    if index != 0 {
      text.removeSubrange(textBefore...)
      reasoning.removeSubrange(reasoningBefore...)
      finish = finishBefore
    }
  }

  private mutating func readMessage(_ message: inout JSONCursor, into text: inout [UInt8]) throws(JSONError) {
    try message.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
      let isContent = key.is("content")
      guard isContent || key.is("reasoning_content") || key.is("reasoning") else { return }
      switch try value.peek() {
      case .string where isContent: try value.appendString(to: &text)
      case .string: try value.appendString(to: &reasoning)
      case .array where isContent:
        // Parts: [{"type":"text","text":"…"}]
        try value.array { (_, part: inout JSONCursor) throws(JSONError) in
          guard try part.peek() == .object else { return }
          try part.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
            if key.is("text"), try value.peek() == .string { try value.appendString(to: &text) }
          }
        }
      default: return
      }
    }
  }

  private mutating func readUsage(_ value: inout JSONCursor) throws(JSONError) {
    var (input, output): (Int?, Int?)
    try value.object { (key: borrowing JSONKey, count: inout JSONCursor) throws(JSONError) in
      if key.is("prompt_tokens"), try count.peek() == .number { input = try count.int() }
      if key.is("completion_tokens"), try count.peek() == .number { output = try count.int() }
    }
    // A count that no model reaches is no count.
    let possible = 0...1_000_000_000_000
    if let input, let output, possible ~= input, possible ~= output { usage = Usage(input: input, output: output) }
  }
}
