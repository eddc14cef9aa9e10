import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The real program against a server that sends broken and hostile bytes: it lives, and says of nothing but the whole answer that it is
/// one. The memory that it frees is overwritten, so that whoever reads it after that is found out.
///
/// A small round each time; `scripts/fuzz wire` sends a million.
@Suite(.serialized) struct WireFuzzTests {
  private static func environment(_ server: RawServer) -> [String: String] {
    [
      "MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0", "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k",
    ]
  }

  static func number(_ name: String) -> Int? { Program.variable(name).flatMap { Int($0) } }
  static let seed = UInt64(number("PROMPTSH_FUZZ_SEED") ?? 1)

  /// libcurl before 8.1.1 wrote to a freed header when a reused handle met a header line that begins with a blank.
  @Test func aServerCannotEndTheProgram() async throws {
    let server = try RawServer { connection, number in
      guard connection.request() != nil else { return }
      connection.send(
        number % 2 == 0
          ? "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Long: \(String(repeating: "a", count: number % 300))"
          : "HTTP/1.1 200 OK\r\n erver: x\r\nno colon in it\r\nContent-Type: text/event-stream\r\n\r\ndata: {\"choices\"")
    }
    let result = try await Program.run(
      ["-e", Self.script(rows: 3000, width: 32) + "print count(r | where failed)"], environment: Self.environment(server))
    // 3: rows have no answer. A signal would be 128 and more.
    #expect(result.status == 3, "\(result.errors.suffix(500))")
    #expect(result.output.contains("3000"))
  }

  /// The fold alone is enough, after answers that are whole: with handles used again libcurl 7.88.1 ended 3 of 3 runs with status 139.
  @Test func aFoldBeforeTheFirstHeader() async throws {
    let server = try RawServer { connection, _ in
      for number in 1... {
        guard connection.request() != nil else { return }
        let fold = number % 2 == 0 ? " erver: \(String(repeating: "x", count: number * 37 % 300))\r\n" : ""
        let long = "X-Long: \(String(repeating: "a", count: number * 53 % 400))\r\n"
        let body = Sample.document("whole")
        guard connection.send("HTTP/1.1 200 OK\r\n\(fold)\(long)Content-Length: \(body.utf8.count)\r\n\r\n\(body)") else { return }
      }
    }
    let result = try await Program.run(
      [
        "-e", Self.script(rows: 2000, width: 32) + "print count(r | where text == \"whole\") count(r | where error.kind == \"connection\")",
      ],
      environment: Self.environment(server))
    // Every other answer of a connection is bad, and ends it: each of the 32 may have had one good one more.
    let counts = result.output.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    #expect(result.status == 3 && counts.reduce(0, +) == 2000, "\(result.output) \(result.errors.suffix(500))")
    #expect((0...32).contains((counts.first ?? 0) - (counts.last ?? 0)), "\(counts)")
  }

  /// A fold within the headers after answers that are whole, on connections that stay open: it is part of the header before it.
  @Test func aFoldedHeaderAfterAWholeAnswer() async throws {
    let server = try RawServer { connection, _ in
      for fold in 0... {
        guard connection.request() != nil else { return }
        let odd = fold % 2 == 0 ? "" : "X-Odd: x\r\n folded: x\r\n\tand more\r\n"
        let body = Sample.document("whole")
        guard connection.send("HTTP/1.1 200 OK\r\n\(odd)Content-Length: \(body.utf8.count)\r\n\r\n\(body)") else { return }
      }
    }
    let result = try await Program.run(
      ["-e", Self.script(rows: 1000, width: 32) + "print count(r | where text == \"whole\")"], environment: Self.environment(server))
    #expect(result.status == 0 && result.output.contains("1000"), "\(result.errors.suffix(500))")
  }

  @Test func mutatedReplies() async throws {
    let total = Self.number("PROMPTSH_FUZZ_REPLIES") ?? (Program.variable("PROMPTSH_LONG") == nil ? 1500 : 1_000_000)
    let samples = Sample.all()
    try #require(samples.count > 100)
    let batch = 5000
    for start in stride(from: 0, to: total, by: batch) {
      let count = min(batch, total - start)
      let seed = Self.seed &+ UInt64(start)
      let server = try RawServer { connection, _ in
        // Replies of a whole length leave the connection open, as far as they go.
        while let request = connection.request(), let row = Sample.row(of: request) {
          let reply = Sample.reply(samples, row, seed)
          for piece in reply.pieces where !connection.send(piece) { return }
          if reply.endsConnection { return }
        }
      }
      let folder = try Scratch()
      let result = try await Program.run(
        ["-e", Self.script(rows: count, width: 48, patience: "1s") + "r | save \"\(folder.path)/rows.jsonl\"\nprint \"alive\""],
        environment: Self.environment(server))
      #expect(result.status == 3 && result.output.contains("alive"), "seed \(seed): \(result.status) \(result.errors.suffix(500))")
      var answered = 0
      for line in folder.lines("rows.jsonl") where line.contains("\"failed\":false") {
        answered += 1
        // Only what cannot be told from a whole answer is one.
        guard let row = Sample.row(of: line) else { continue }
        let reply = Sample.reply(samples, row, seed)
        guard reply.isLossy, let text = reply.sample.text else { continue }
        #expect(line.contains("\"text\":\"\(text)\""), "seed \(seed), row \(row), \(reply.sample.name): \(line.prefix(400))")
      }
      #expect(answered > 0)
    }
  }

  /// - Parameter patience: how long a call may stand still; short where replies are cut that never end.
  private static func script(rows: Int, width: Int, patience: String = "60s") -> String {
    """
    set model openai/m
    set concurrency \(width)
    # What is cut all the time is not to teach the program to send one after the other.
    set concurrency \(width) for openai/m
    set retries 0
    set stop-after off
    set first-token-timeout \(patience)
    set idle-timeout \(patience)
    let r = map 1..\(rows) "row-{it}-end"

    """
  }
}

/// A reply that is whole, and what a mutation makes of it.
struct Sample: Sendable {
  var name: String
  var bytes: [UInt8]
  /// What a row says of it whole, as JSON has it; nil where that is not looked at.
  var text: String?

  struct Reply {
    var sample: Sample
    var pieces: [[UInt8]]
    var endsConnection: Bool
    /// Something is missing at its end, or what was put in is no JSON: an answer that is made of it is the whole answer.
    var isLossy: Bool
  }

  static func document(_ text: String) -> String {
    #"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"\#(text)"}}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#
  }

  /// Those of known words in several forms, and every capture of a real server.
  static func all() -> [Sample] {
    func event(_ json: String) -> String { "data: \(json)\n\n" }
    func delta(_ members: String, _ finish: String = "null") -> String {
      event(#"{"choices":[{"index":0,"delta":{\#(members)},"finish_reason":\#(finish)}]}"#)
    }
    let text = "a whole answer and not less"
    let stream =
      delta(#""role":"assistant","content":"""#) + delta(#""content":"a whole ""#) + delta(#""content":"answer and ""#)
      + delta(#""content":"not less""#) + delta("", #""stop""#)
    let usage = event(#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#)
    let streams = [
      stream, stream + event("[DONE]"), stream + usage + event("[DONE]"), ": ping\n\n" + stream + ": ping\n\n" + event("[DONE]"),
      (stream + usage).replacing("\n", with: "\r\n"), "\u{FEFF}" + stream,
      delta(#""reasoning":"hm""#) + stream, stream.replacing("a whole ", with: #"<think>hm</think>\na whole "#),
    ]
    var samples: [Sample] = []
    for (number, body) in (streams + [document(text), "\n " + document(text) + "\n"]).enumerated() {
      let type = body.contains("data:") ? "text/event-stream" : "application/json"
      let head = "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\n"
      samples.append(
        Sample(name: "length \(number)", bytes: Array("\(head)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8), text: text))
      samples.append(Sample(name: "close \(number)", bytes: Array("\(head)Connection: close\r\n\r\n\(body)".utf8), text: text))
      var chunked = head + "Transfer-Encoding: chunked\r\n\r\n"
      var rest = body[...]
      while !rest.isEmpty {
        let piece = rest.prefix(37)
        rest = rest.dropFirst(37)
        chunked += "\(String(piece.utf8.count, radix: 16))\r\n\(piece)\r\n"
      }
      samples.append(Sample(name: "chunked \(number)", bytes: Array((chunked + "0\r\n\r\n").utf8), text: text))
    }
    let folder = Program.root + "/Tests/ProvidersTests/Cassettes"
    for name in names(folder) {
      guard let bytes = contents("\(folder)/\(name)") else { continue }
      // Whoever is told to come back later waits, and that is tried elsewhere.
      let text = String(decoding: bytes, as: UTF8.self)
      if ["429", "503", "529"].contains(where: { text.prefix(14).contains($0) }) || text.contains("rate_limit") { continue }
      samples.append(Sample(name: name, bytes: bytes, text: nil))
    }
    return samples
  }

  /// The reply to one row, the same each time.
  static func reply(_ samples: [Sample], _ row: Int, _ seed: UInt64) -> Reply {
    var random = Generator(state: seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(row))
    // Known words more often than captures: of them it can be told whether an answer is true.
    let isKnown = random.below(3) > 0
    let sample = samples[random.below(isKnown ? 30 : samples.count)]
    var bytes = sample.bytes
    var isLossy = false
    let ends = !sample.name.hasPrefix("length") && !sample.name.hasPrefix("chunked")
    switch random.below(10) {
    case 0: return Reply(sample: sample, pieces: cut(bytes, &random), endsConnection: ends, isLossy: true)
    case 1, 2, 3, 4:
      isLossy = true
      bytes = Array(bytes.prefix(random.below(bytes.count + 1)))
    case 5:
      // An event in its middle that is no JSON.
      isLossy = true
      let body = bytes.firstPlace(of: Array("\r\n\r\n".utf8)) ?? 0
      let places = bytes.indices.filter { $0 > body && bytes[$0...].starts(with: Array("data: ".utf8)) }
      if let place = places.isEmpty ? nil : places[random.below(places.count)], ends {
        bytes.insert(contentsOf: Array("data: {\"choices\":[{\"delta\"\n\n".utf8), at: place)
      }
    case 6: bytes.replaceSubrange(0..<min(bytes.count, 17), with: Array("HTTP/1.1 200 OK\r\n erver: x\r\nnone\r\n".utf8))
    default:
      for _ in 0...random.below(6) where !bytes.isEmpty {
        let place = random.below(bytes.count)
        switch random.below(4) {
        case 0: bytes[place] = UInt8(random.below(256))
        case 1: bytes.remove(at: place)
        case 2: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + random.below(40))], at: random.below(bytes.count))
        default: bytes.insert([0x0A, 0x0D, 0x20, 0x3A, 0x22, 0x5C, 0x7B, 0x7D, 0, 0xFF][random.below(10)], at: place)
        }
      }
    }
    return Reply(sample: sample, pieces: cut(bytes, &random), endsConnection: true, isLossy: isLossy)
  }

  private static func cut(_ bytes: [UInt8], _ random: inout Generator) -> [[UInt8]] {
    guard bytes.count > 2, random.below(2) == 0 else { return [bytes] }
    let place = 1 + random.below(bytes.count - 1)
    return [Array(bytes[..<place]), Array(bytes[place...])]
  }

  /// The number of the row that a request or a saved row is about.
  static func row(of text: String) -> Int? {
    text.firstMatch(of: /row-(\d+)-end/).flatMap { Int($0.1) }
  }

  private static func names(_ folder: String) -> [String] {
    guard let directory = opendir(folder) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name.hasSuffix(".txt") { names.append(name) }
    }
    return names.sorted()
  }

  private static func contents(_ path: String) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return bytes
  }
}

/// SplitMix64.
struct Generator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(bound, 1))) }
}

extension [UInt8] {
  fileprivate func firstPlace(of mark: [UInt8]) -> Int? {
    guard count >= mark.count else { return nil }
    return (0...(count - mark.count)).first { self[$0] == mark[0] && self[$0...].starts(with: mark) }
  }
}
