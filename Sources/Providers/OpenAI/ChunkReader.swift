import Chat
import JSON

/// Takes what matters out of one `chat.completion.chunk`, or a whole `chat.completion`, without building a tree.
///
/// What one event says is gathered here and taken over only when all of it has parsed: an event counts whole or not at all. Of two
/// members of one name the last counts, as JSON readers have it.
struct ChunkReader {
  /// What the event says of the one answer that was asked for. With `n` > 1 answers are interleaved, and only the first is ours.
  private(set) var choice = ChoiceText()
  /// Whether `choices` was there, and our answer in it.
  private(set) var hasChoices = false
  private(set) var hasChoice = false
  private(set) var usage: Usage?
  /// Whether it is the statement of an error (`FailureReader` reads it).
  private(set) var saysError = false
  /// Whether it says something in words, outside any choice.
  private(set) var hasWords = false
  /// How many choices the event has, of whatever index.
  private var choices = 0
  /// Where a choice is read, before its index is known.
  private var draft = ChoiceText()

  /// - Parameters:
  ///   - half: the half of a surrogate pair with which the content before ended; `reasoningHalf` likewise.
  mutating func read(_ data: UnsafeRawBufferPointer, half: UInt16?, reasoningHalf: UInt16?) throws(JSONError) {
    choice.clear(half, reasoningHalf)
    (hasChoices, hasChoice, saysError, hasWords, usage, choices) = (false, false, false, false, nil, 0)
    var elsewhere: Usage?
    var isMarked = false
    var cursor = JSONCursor(data, tolerant: true)
    guard try cursor.peek() == .object else {
      // `["…"]`, `"…"`: no server answers so, but some fail so.
      try cursor.skip()
      try cursor.end()
      saysError = true
      return
    }
    try cursor.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
      if key.is("choices") {
        choice.clear(half, reasoningHalf)
        hasChoice = false
        hasChoices = try value.peek() == .array
        guard hasChoices else { return }
        try value.array { (position, inner: inout JSONCursor) throws(JSONError) in
          try readChoice(position, &inner, half, reasoningHalf, &elsewhere)
        }
      } else if key.is("usage") {
        usage = try UsageReader.read(&value)
      } else if key.is("x_groq") {
        guard try value.peek() == .object else { return }
        try value.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
          if key.is("usage") { elsewhere = try UsageReader.read(&value) }
          if key.is("error"), try value.statesSomething() { saysError = true }
        }
      } else if key.is("error") {
        saysError = try value.statesSomething()
      } else if key.is("object") {
        if try value.peek() == .string, try value.string() == "error" { saysError = true }
      } else if key.is("message") || key.is("msg") {
        if try value.statesSomething() { hasWords = true }
      } else if key.is("detail") || key.is("error_msg") || key.is("error_message") {
        if try value.statesSomething() { (hasWords, isMarked) = (true, true) }
      } else if key.is("code") || key.is("status") || key.is("error_code") || key.is("success") {
        if try value.peek() != .null { isMarked = true }
      }
    }
    try cursor.end()
    usage = usage ?? elsewhere
    // Words alone may be news of a queue; with a code beside them they say why there will be no answer.
    if hasWords, isMarked, !hasChoices, usage == nil { saysError = true }
  }

  /// Where the content stands of an event that says nothing else, so that another content in its place would be all that is new.
  var onlyContent: Range<Int>? {
    guard hasChoice, choices == 1, usage == nil, !saysError, !hasWords else { return nil }
    return choice.onlyContent
  }

  private mutating func readChoice(
    _ position: Int, _ inner: inout JSONCursor, _ half: UInt16?, _ reasoningHalf: UInt16?, _ elsewhere: inout Usage?
  ) throws(JSONError) {
    choices += 1
    guard try inner.peek() == .object else { return }
    var index = position
    draft.clear(hasChoice ? choice.half : half, hasChoice ? choice.reasoningHalf : reasoningHalf)
    try inner.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
      if key.is("delta") || key.is("message") {
        guard try value.peek() == .object else { return }
        try draft.read(&value)
      } else if key.is("finish_reason") {
        draft.finish = try ChunkReader.word(&value)
      } else if key.is("index"), try value.peek() == .number {
        index = try value.count() ?? -1
      } else if key.is("usage") {
        elsewhere = try UsageReader.read(&value)
      }
    }
    guard index == 0 else { return }
    if !hasChoice {
      swap(&draft, &choice)
      hasChoice = true
    } else {
      choice.append(draft)
    }
  }

  /// A finish reason; nil for null and, since some servers write that for null, for an empty text.
  private static func word(_ value: inout JSONCursor) throws(JSONError) -> String? {
    switch try value.peek() {
    case .null: return nil
    case .string:
      let word = try value.string()
      return word.isEmpty ? nil : word
    default: return try JSONValue(&value).text
    }
  }
}

/// What one event, or one document, adds to an answer.
struct ChoiceText {
  private(set) var content: [UInt8] = []
  private(set) var refusal: [UInt8] = []
  private(set) var reasoning: [UInt8] = []
  private(set) var toolCalls = 0
  fileprivate(set) var finish: String?
  /// Whether there was a `delta` or `message` at all.
  private(set) var hasMessage = false
  /// Half of a surrogate pair, whose other half is the next event's.
  private(set) var half: UInt16?
  private(set) var reasoningHalf: UInt16?
  /// Where the last content that is a text stands between its quotes, and how many there were.
  private var contentRange: Range<Int>?
  private var contents = 0
  private var before: (half: UInt16?, reasoningHalf: UInt16?) = (nil, nil)
  private var source = Source.none

  /// Servers give one train of thought under several names at once: the best is taken, once.
  private enum Source: Int, Comparable {
    case none, parts, details, thinking, reasoning, reasoningContent
    static func < (a: Source, b: Source) -> Bool { a.rawValue < b.rawValue }
  }

  mutating func clear(_ half: UInt16?, _ reasoningHalf: UInt16?) {
    before = (half, reasoningHalf)
    clearMessage()
    hasMessage = false
    finish = nil
    (contentRange, contents) = (nil, 0)
  }

  /// See `ChunkReader.onlyContent`.
  var onlyContent: Range<Int>? {
    guard contents == 1, refusal.isEmpty, reasoning.isEmpty, toolCalls == 0, finish == nil else { return nil }
    return half == nil && reasoningHalf == nil ? contentRange : nil
  }

  private mutating func clearMessage() {
    if !content.isEmpty { content.removeAll(keepingCapacity: true) }
    if !refusal.isEmpty { refusal.removeAll(keepingCapacity: true) }
    if !reasoning.isEmpty { reasoning.removeAll(keepingCapacity: true) }
    toolCalls = 0
    source = .none
    (half, reasoningHalf) = before
  }

  /// A second choice of the same index in one event.
  mutating func append(_ other: ChoiceText) {
    content += other.content
    refusal += other.refusal
    reasoning += other.reasoning
    toolCalls += other.toolCalls
    finish = other.finish ?? finish
    hasMessage = hasMessage || other.hasMessage
    (half, reasoningHalf) = (other.half, other.reasoningHalf)
  }

  mutating func read(_ message: inout JSONCursor) throws(JSONError) {
    clearMessage()
    hasMessage = true
    try message.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
      if key.is("content") {
        try readContent(&value)
      } else if key.is("reasoning_content") {
        try readReasoning(&value, .reasoningContent)
      } else if key.is("reasoning") {
        try readReasoning(&value, .reasoning)
      } else if key.is("thinking") {
        try readReasoning(&value, .thinking)
      } else if key.is("reasoning_details") {
        try readReasoning(&value, .details)
      } else if key.is("refusal") {
        refusal.removeAll(keepingCapacity: true)
        if try value.peek() == .string { try value.appendString(to: &refusal) }
      } else if key.is("tool_calls") {
        guard try value.peek() == .array else { return }
        try value.array { (_, _: inout JSONCursor) throws(JSONError) in toolCalls += 1 }
      } else if key.is("function_call"), try value.peek() == .object {
        toolCalls += 1
      }
    }
  }

  private mutating func readContent(_ value: inout JSONCursor) throws(JSONError) {
    content.removeAll(keepingCapacity: true)
    half = before.half
    contentRange = nil
    contents += 1
    switch try value.peek() {
    case .string:
      let start = value.offset + 1
      try value.appendString(to: &content, half: &half)
      contentRange = start..<(value.offset - 1)
    case .array:
      var thought: [UInt8] = []
      var thoughtHalf = before.reasoningHalf
      try value.array { (_, part: inout JSONCursor) throws(JSONError) in
        try readPart(&part, &thought, &thoughtHalf)
      }
      offer(thought, thoughtHalf, .parts)
    default: return
    }
  }

  /// `{"type":"text","text":"…"}`, `{"type":"thinking","thinking":[{"type":"text","text":"…"}]}` (Mistral) or `"thinking":"…"`.
  private mutating func readPart(_ part: inout JSONCursor, _ thought: inout [UInt8], _ thoughtHalf: inout UInt16?) throws(JSONError) {
    switch try part.peek() {
    case .string: try part.appendString(to: &content, half: &half)
    case .object:
      try part.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
        if key.is("text") {
          if try value.peek() == .string { try value.appendString(to: &content, half: &half) }
        } else if key.is("thinking") {
          try ChoiceText.gather(&value, &thought, &thoughtHalf)
        }
      }
    default: return
    }
  }

  private mutating func readReasoning(_ value: inout JSONCursor, _ from: Source) throws(JSONError) {
    var thought: [UInt8] = []
    var thoughtHalf = before.reasoningHalf
    try ChoiceText.gather(&value, &thought, &thoughtHalf)
    offer(thought, thoughtHalf, from)
  }

  private mutating func offer(_ thought: [UInt8], _ thoughtHalf: UInt16?, _ from: Source) {
    guard from >= source, !thought.isEmpty || thoughtHalf != nil else { return }
    (reasoning, reasoningHalf, source) = (thought, thoughtHalf, from)
  }

  /// A text, or the texts of a list of parts (`text`, `summary`).
  private static func gather(_ value: inout JSONCursor, _ thought: inout [UInt8], _ half: inout UInt16?) throws(JSONError) {
    switch try value.peek() {
    case .string: try value.appendString(to: &thought, half: &half)
    case .array:
      try value.array { (_, part: inout JSONCursor) throws(JSONError) in
        guard try part.peek() == .object else { return }
        try part.object { (key: borrowing JSONKey, value: inout JSONCursor) throws(JSONError) in
          guard key.is("text") || key.is("summary"), try value.peek() == .string else { return }
          try value.appendString(to: &thought, half: &half)
        }
      }
    default: return
    }
  }
}

extension JSONCursor {
  /// Whether a member holds more than null, false or an empty text. The value is passed over.
  fileprivate mutating func statesSomething() throws(JSONError) -> Bool {
    switch try peek() {
    case .null:
      try null()
      return false
    case .bool: return try bool()
    case .string: return try !string().isEmpty
    case .number: return try count() != 0
    case .object, .array:
      try skip()
      return true
    }
  }
}
