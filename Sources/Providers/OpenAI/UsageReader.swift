import Chat
import JSON

/// `usage` of a chat completion, with what hosts add to it: OpenAI's `*_tokens_details`, DeepSeek's `prompt_cache_hit_tokens`,
/// OpenRouter's `cost`. A count may be written `3.0`; one that no model reaches is none.
enum UsageReader {
  static func read(_ value: inout JSONCursor) throws(JSONError) -> Usage? {
    guard try value.peek() == .object else { return nil }
    var counts = Counts()
    try value.object { (key: borrowing JSONKey, count: inout JSONCursor) throws(JSONError) in
      if key.is("prompt_tokens") || key.is("input_tokens") {
        counts.input = try number(&count) ?? counts.input
      } else if key.is("completion_tokens") || key.is("output_tokens") {
        counts.output = try number(&count) ?? counts.output
      } else if key.is("total_tokens") {
        counts.total = try number(&count)
      } else if key.is("prompt_tokens_details") || key.is("input_tokens_details") {
        try details(&count, &counts)
      } else if key.is("completion_tokens_details") || key.is("output_tokens_details") {
        try details(&count, &counts)
      } else if key.is("prompt_cache_hit_tokens") || key.is("cache_read_input_tokens") {
        counts.cacheRead = try number(&count) ?? counts.cacheRead
      } else if key.is("cache_creation_input_tokens") {
        counts.cacheWrite = try number(&count) ?? counts.cacheWrite
      } else if key.is("cost"), try count.peek() == .number {
        counts.cost = Double(try count.numberText()).flatMap { $0.isFinite && $0 >= 0 ? $0 : nil }
      }
    }
    return counts.usage
  }

  private struct Counts {
    var (input, output, total): (Int?, Int?, Int?)
    var (cacheRead, cacheWrite, reasoning): (Int?, Int?, Int?)
    var cost: Double?

    var usage: Usage? {
      guard let input, var output else { return nil }
      // xAI counts reasoning beside the answer; everybody else within it.
      if let reasoning, let total, reasoning > 0, input + output + reasoning == total { output += reasoning }
      return Usage(input: input, output: output, cacheRead: cacheRead, cacheWrite: cacheWrite, reasoning: reasoning, cost: cost)
    }
  }

  private static func details(_ value: inout JSONCursor, _ counts: inout Counts) throws(JSONError) {
    guard try value.peek() == .object else { return }
    try value.object { (key: borrowing JSONKey, count: inout JSONCursor) throws(JSONError) in
      if key.is("cached_tokens") {
        counts.cacheRead = try number(&count) ?? counts.cacheRead
      } else if key.is("cache_write_tokens") {
        counts.cacheWrite = try number(&count) ?? counts.cacheWrite
      } else if key.is("reasoning_tokens") {
        counts.reasoning = try number(&count) ?? counts.reasoning
      }
    }
  }

  private static func number(_ value: inout JSONCursor) throws(JSONError) -> Int? {
    guard try value.peek() == .number, let count = try value.count() else { return nil }
    return 0...1_000_000_000_000 ~= count ? count : nil
  }
}

extension JSONCursor {
  /// A whole number, also where it is written `3.0` or `3e0`.
  mutating func count() throws(JSONError) -> Int? {
    var again = self
    if let whole = try int() { return whole }
    let text = try again.numberText()
    return Double(text).flatMap { Int(exactly: $0) }
  }
}
