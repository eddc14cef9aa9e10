import Chat
import Testing

@testable import Providers

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The quick ways through a stream (`SSEDecoder.feedPlain`, `ChunkTemplate`) against the slow ones: a splitter that sees all bytes at
/// once, and the reader of whole events, which an event with a name always gets.
@Suite struct StreamGuardTests {
  /// 10⁵ events in the ordinary lane, 10⁷ in the long one.
  @Test func hostileStreamsReadTheSame() {
    let count = getenv("PROMPTSH_LONG") != nil ? 10_000_000 : 100_000
    var events = 0
    var seed: UInt64 = 1
    while events < count {
      var random = SplitMix(seed: seed)
      let (bytes, number) = Self.stream(&random)
      let quick = Self.quick(bytes, &random)
      guard quick == Self.slow(bytes) else {
        Issue.record("stream \(seed): \(quick) and not \(Self.slow(bytes)): \(String(decoding: bytes, as: UTF8.self).debugDescription)")
        return
      }
      events += number
      seed += 1
    }
  }

  @Test(arguments: CassetteTests.names) func recordedStreamsReadTheSame(_ name: String) throws {
    let body = try CassetteTests.load(name).body
    var random = SplitMix(seed: 7)
    let slow = Self.slow(body)
    for _ in 0..<3 { #expect(Self.quick(body, &random) == slow) }
    #expect(Self.read(body, [body[...]]) == slow)
  }

  /// Only what the next event may repeat is learned from.
  @Test(arguments: frames) func learnsOnlyFromContent(_ frame: String) throws {
    var chunk = ChunkReader()
    let event = Array(frame.split(separator: "@", omittingEmptySubsequences: false).joined(separator: "a").utf8)
    let range = try event.withUnsafeBytes { bytes in
      try chunk.read(bytes, half: nil, reasoningHalf: nil)
      return chunk.onlyContent
    }
    #expect((range != nil) == Self.frames[..<Self.plainFrames].contains(frame))
    guard let range else { return }
    #expect(event[range].elementsEqual("a".utf8))
    var template = ChunkTemplate()
    event.withUnsafeBytes { template.learn($0, range) }
    func content(_ text: String) -> String? {
      let other = Array((frame.split(separator: "@", omittingEmptySubsequences: false).joined(separator: text)).utf8)
      return other.withUnsafeBytes { bytes in template.content(of: bytes).map { String(decoding: $0, as: UTF8.self) } }
    }
    for plain in ["", "b", "longer than eight bytes: ä 😀"] { #expect(content(plain) == plain) }
    for other in [#"\n"#, #"a","content":"b"#, "a\u{1}", "0123456789\\u00e9", "01234567\t"] { #expect(content(other) == nil) }
  }

  // MARK: two ways to read

  struct Told: Equatable {
    var text: [UInt8] = []
    var reasoning: [UInt8] = []
    var usage: Usage?
    var finish: FinishReason?
    var failure: Failure?
    var wrong: Failure?
    var problem: String?
    var counts: [Int] = []
    var flags: [Bool] = []

    init(_ reading: AnswerReading) {
      var reading = reading
      (counts, flags) = ([reading.toolCalls, reading.progress], [reading.isDone, reading.isEnded, reading.isCutShort])
      reading.close()
      (text, reasoning, usage, finish) = (reading.text, reading.reasoning, reading.usage, reading.finish)
      (failure, wrong, problem) = (reading.failure, reading.wrong, reading.problem)
    }
  }

  static func quick(_ bytes: [UInt8], _ random: inout SplitMix) -> Told {
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    let longest = [1, 7, 40, 300, 5000][random.below(5)]
    while !rest.isEmpty {
      let count = 1 + random.below(longest)
      pieces.append(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    return read(bytes, pieces)
  }

  static func read(_ bytes: [UInt8], _ pieces: [ArraySlice<UInt8>]) -> Told {
    var decoder = SSEDecoder()
    var reading = AnswerReading(keepsThink: false)
    for piece in pieces {
      piece.withUnsafeBytes { piece in decoder.feed(piece) { reading.event($0, $1, isWhole: true) } }
    }
    decoder.finish { reading.event($0, $1, isWhole: false) }
    return Told(reading)
  }

  /// Lines first, then events, then each event read in full.
  static func slow(_ bytes: [UInt8]) -> Told {
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    var index = 0
    while index < bytes.count {
      if bytes[index] == 0x0A || bytes[index] == 0x0D {
        lines.append(bytes[start..<index])
        if bytes[index] == 0x0D, index + 1 < bytes.count, bytes[index + 1] == 0x0A { index += 1 }
        start = index + 1
      }
      index += 1
    }
    let whole = lines.count
    if start < bytes.count { lines.append(bytes[start...]) }
    lines.append([])
    var reading = AnswerReading(keepsThink: false)
    var (name, data, hasData): ([UInt8], [UInt8], Bool) = ([], [], false)
    for (number, line) in lines.enumerated() {
      if line.isEmpty {
        if hasData || name == Array("error".utf8) {
          // "message" is what no name means; the template is for events without one.
          let type = name.isEmpty ? Array("message".utf8) : name
          type.withUnsafeBytes { type in data.withUnsafeBytes { reading.event(type, $0, isWhole: number < whole) } }
        }
        (name, data, hasData) = ([], [], false)
        continue
      }
      let colon = line.firstIndex(of: UInt8(ascii: ":"))
      var value = colon.map { line[($0 + 1)...] } ?? []
      if value.first == 0x20 { value = value.dropFirst() }
      switch String(decoding: line[..<(colon ?? line.endIndex)], as: UTF8.self) {
      case "data", "error":
        if line.starts(with: "error".utf8) { name = Array("error".utf8) }
        if hasData { data.append(0x0A) }
        hasData = true
        data += value
      case "event": name = Array(value)
      default: continue
      }
    }
    return Told(reading)
  }

  // MARK: streams

  /// What stands for the content is `@`. The first of them say nothing else.
  static let plainFrames = 8
  static let frames = [
    #"{"choices":[{"index":0,"delta":{"content":"@"}}]}"#,
    #"{"id":"c","created":17,"choices":[{"delta":{"role":"assistant","content":"@"},"index":0,"finish_reason":null}],"usage":null}"#,
    #"{ "choices" : [ { "delta" : { "content" : "@" } , "logprobs":null } ] , "x":{"content":"\"y"}}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":""}],"error":null}"#,
    #"{"choices":[{"index":0,"delta":{"cont\u0065nt":"@","reasoning_content":""}}]}"#,
    #"{"choices":[],"choices":[{"index":0,"delta":{"content":"@"}}]}"#,
    #"{"choices":[{"index":0,"message":{"content":"@","refusal":null,"tool_calls":[]}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"}}],"x_groq":{"id":"r"},"message":""}"#,
    #"{"choices":[{"index":1,"delta":{"content":"@"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"}},{"index":1,"delta":{"content":"b"}}]}"#,
    #"{"choices":[{"index":1,"delta":{"content":"a"}},{"index":0,"delta":{"content":"@"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":0,"delta":{"content":"@"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"x","content":"@"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@","content":null}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"},"message":{"content":"m"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"}}],"choices":[]}"#,
    #"{"choices":[{"index":0,"delta":{"reasoning_content":"r","content":"@"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"reasoning":"@"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"@"}]}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@","tool_calls":[{}]}}]}"#,
    #"{"choices":[{"index":0,"delta":{"refusal":"@"}}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":null}}],"id":"@"}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"}}],"message":"queued"}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":"stop"}]}"#,
    #"{"choices":[{"index":0,"delta":{"content":"@"}}],"error":{"message":"e"}}"#,
  ]

  static let contents: [[UInt8]] =
    [
      "", "a", "word ", "<think>", "</think>", " ", "é", "😀", "a text of more than sixteen bytes", #"\n"#, #"\""#, #"\\"#, #"\u00e9"#,
      #"\ud83d"#, #"\ude00"#, "\"", "\\", "\u{1}", "\u{7F}", #"","content":""#, #""}}]}"#, "}", "@",
    ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0x80, 0x9F]]

  static func stream(_ random: inout SplitMix) -> (bytes: [UInt8], events: Int) {
    var bytes: [UInt8] = []
    let count = 1 + random.below(12)
    let ending = [[0x0A], [0x0A], [0x0A], [0x0D, 0x0A], [0x0D]][random.below(5)] as [UInt8]
    var frame = frames[random.below(frames.count)]
    for _ in 0..<count {
      // A stream that repeats itself, mostly; what ends one comes seldom.
      if random.below(4) == 0 { frame = frames[random.below(random.below(8) == 0 ? frames.count : frames.count - 4)] }
      var event: [UInt8] = []
      for byte in frame.utf8 {
        guard byte == UInt8(ascii: "@") else {
          event.append(byte)
          continue
        }
        for _ in 0..<random.below(3) { event += contents[random.below(random.below(3) == 0 ? contents.count : 9)] }
      }
      if random.below(60) == 0 { event[random.below(event.count)] = UInt8(truncatingIfNeeded: random.next()) }
      if random.below(60) == 0 { event = Array("[DONE]".utf8) }
      switch random.below(40) {
      case 0: bytes += Array(": \"comment\"".utf8) + ending
      case 1: bytes += Array("event: message".utf8) + ending
      case 2: bytes += Array("event: ping".utf8) + ending
      case 3: bytes += Array("id: 3".utf8) + ending
      case 4: bytes += Array("data".utf8) + ending + ending
      case 5: bytes += Array("data:".utf8) + ending + ending
      case 6: bytes += Array("database: x".utf8) + ending
      case 7: event.insert(contentsOf: ending + Array("data:".utf8), at: random.below(event.count + 1))
      case 8 where random.below(8) == 0: bytes += Array("event: error".utf8) + ending
      case 9: event.insert(0x20, at: random.below(2) == 0 ? 0 : event.count)
      default: break
      }
      bytes += Array((random.below(3) == 0 ? "data:" : "data: ").utf8) + event + ending
      if random.below(40) != 0 { bytes += ending }
    }
    if random.below(4) == 0 { bytes.removeLast(random.below(min(bytes.count, 9))) }
    return (bytes, count)
  }
}

/// SplitMix64.
struct SplitMix {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
