import Chat
import JSON
import Testing
import Transport

@testable import Providers

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Recorded replies, mutated and fed to the decoder in pieces: it lives, and says of no mutation that it is an answer unless it is the
/// recorded one, or what the bytes themselves say by another reading of them.
///
/// A small round each time; `scripts/fuzz events` reads a million.
@Suite struct EventFuzzTests {
  private static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
  private static let total = number("PROMPTSH_FUZZ_SAMPLES") ?? (getenv("PROMPTSH_LONG") == nil ? 1500 : 1_000_000)
  private static let seed = UInt64(number("PROMPTSH_FUZZ_SEED") ?? 1)

  @Test func mutatedSamples() throws {
    let samples = try CassetteTests.names.map(CassetteTests.load).filter { !$0.body.isEmpty && $0.head.status > 0 }
    try #require(samples.count > 150)
    let originals = samples.map { CassetteTests.decode($0.head, [$0.body[...]]) }
    for number in 0..<Self.total {
      var random = SplitMix(seed: Self.seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(number))
      let place = random.below(samples.count)
      let (sample, original) = (samples[place], originals[place])
      let (mutation, bytes, error) = Self.mutated(sample, &random)
      let attempt = CassetteTests.decode(sample.head, Self.pieces(bytes, &random), error: error)
      let problem = Self.problem(with: attempt, original, mutation, bytes)
      if let problem {
        Issue.record("seed \(Self.seed), sample \(number), \(sample.name), \(mutation): \(problem)\n\(Self.shown(bytes))")
        return
      }
    }
  }

  /// What a mutation does to a reply.
  enum Mutation: CaseIterable {
    /// Its end is missing, or it is gone on with by something that is no part of it: the answer is the recorded one, or none.
    case cut, brokenEvent, halfEvent, gluedEvents, errorEvent
    /// It says the same in other bytes.
    case silentEvents, lineEndings, mark, twice
    /// Bytes anywhere: the answer is what another reader finds in them.
    case bytes

    var keepsAnswer: Bool { self == .silentEvents || self == .lineEndings || self == .mark || self == .twice }
  }

  private static func problem(with attempt: Attempt, _ original: Attempt, _ mutation: Mutation, _ bytes: [UInt8]) -> String? {
    if attempt.failure != nil, attempt.wrong != nil { return "no answer, and a wrong one" }
    if let error = attempt.failure ?? attempt.wrong {
      if error.message.isEmpty { return "an error without words" }
      if error.message.unicodeScalars.contains(where: { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }) {
        return "a control character in an error"
      }
    }
    let isSame =
      attempt.text == original.text && attempt.reasoning == original.reasoning && attempt.finish == original.finish
      && attempt.toolCalls == original.toolCalls && attempt.wrong?.kind == original.wrong?.kind
    if mutation.keepsAnswer { return isSame && attempt.failure?.kind == original.failure?.kind ? nil : "\(attempt)" }
    guard attempt.failure == nil else { return nil }
    if mutation != .bytes { return isSame && original.failure == nil ? nil : "an answer that is not the recorded one: \(attempt)" }
    guard let other = OtherReader.text(of: bytes) else { return nil }
    return other == attempt.text || attempt.wrong != nil ? nil : "another reader finds \(other.debugDescription): \(attempt)"
  }

  // MARK: mutations

  private static func mutated(_ sample: CassetteTests.Cassette, _ random: inout SplitMix) -> (Mutation, [UInt8], TransportError?) {
    let body = sample.body
    let isStream = sample.head.status == 200 && ["data:", "event:", ":"].contains { body.starts(with: $0.utf8) }
    var kinds: [Mutation] = [.cut, .bytes, .mark]
    if isStream {
      kinds += [.brokenEvent, .halfEvent, .gluedEvents, .errorEvent, .silentEvents, .lineEndings]
      if body.suffix(2).elementsEqual([0x0A, 0x0A]) { kinds.append(.twice) }
    }
    let kind = kinds[random.below(kinds.count)]
    var bytes = body
    switch kind {
    case .cut:
      bytes = Array(body.prefix(random.below(body.count)))
      let errors: [TransportError?] = [nil, .broken("cut"), .timedOut(.idle, after: .seconds(1)), .timedOut(.total, after: .seconds(1))]
      return (kind, bytes, errors[random.below(errors.count)])
    case .brokenEvent:
      let broken = ["{\"choices\":[{\"delta\"", "{\"choices\":[}", "{}}", "nonsense", "{\"a\":01}", "{\"choices\":[{\"index\":0"]
      insert("data: \(broken[random.below(broken.count)])\n\n")
    case .halfEvent:
      // A whole event loses its end, and the next one follows.
      let lines = Self.dataLines(body)
      guard !lines.isEmpty else { break }
      let line = lines[random.below(lines.count)]
      guard line.count > 2 else { break }
      bytes.removeSubrange((line.lowerBound + 1 + random.below(line.count - 1))..<line.upperBound)
    case .gluedEvents:
      // The blank line between two events is missing: their data is two documents then, and no JSON.
      let inner = edges(body).filter { $0 > 1 && $0 < body.count }
      guard !inner.isEmpty else { break }
      bytes.remove(at: inner[random.below(inner.count)] - 1)
    case .errorEvent:
      let errors = [
        "data: {\"error\":{\"message\":\"gone\"}}\n\n", "event: error\ndata: {\"message\":\"gone\"}\n\n",
        "error: {\"message\":\"gone\"}\n\n",
        "data: {\"object\":\"error\",\"message\":\"gone\"}\n\n", "data: \"gone\"\n\n", "data: {\"detail\":\"gone\"}\n\n",
      ]
      insert(errors[random.below(errors.count)])
    case .silentEvents:
      let silent = [
        ": ping\n\n", "data:\n\n", "event: ping\ndata: {\"x\":\n\n", "id: 7\n\n", "retry: 10\n\n", "data: {\"choices\":[]}\n\n", "\n",
        "data: {\"choices\":[],\"odd\":[NaN,-Infinity]}\n\n", "data: {\"type\":\"ping\"}\n\n",
        "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"not ours\"},\"finish_reason\":\"stop\"}]}\n\n",
      ]
      for _ in 0...random.below(3) { insert(silent[random.below(silent.count)]) }
    case .lineEndings:
      let ending: [UInt8] = random.below(2) == 0 ? [0x0D] : [0x0D, 0x0A]
      if !body.contains(0x0D) { bytes = body.flatMap { $0 == 0x0A ? ending : [$0] } }
    case .mark: bytes = [0xEF, 0xBB, 0xBF] + body
    case .twice: bytes += Array("data: [DONE]\n\ndata: [DONE]\n\n".utf8)
    case .bytes:
      for _ in 0...random.below(5) where !bytes.isEmpty {
        let place = random.below(bytes.count)
        switch random.below(5) {
        case 0: bytes[place] = UInt8(random.below(256))
        case 1: bytes.remove(at: place)
        case 2: bytes.removeSubrange(place..<min(bytes.count, place + random.below(200)))
        case 3: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + random.below(200))], at: random.below(bytes.count))
        default: bytes.insert([0x0A, 0x0D, 0x20, 0x3A, 0x22, 0x5C, 0x7B, 0x7D, 0x5B, 0x2C, 0, 0xFF][random.below(12)], at: place)
        }
      }
    }
    return (kind, bytes, nil)

    func insert(_ event: String) {
      let edges = Self.edges(bytes)
      bytes.insert(contentsOf: Array(event.utf8), at: edges[random.below(edges.count)])
    }
  }

  /// Where an event begins, or the last one has ended.
  private static func edges(_ body: [UInt8]) -> [Int] {
    [0] + body.indices.filter { $0 > 1 && body[$0 - 1] == 0x0A && body[$0 - 2] == 0x0A }
      + (body.suffix(2).elementsEqual([0x0A, 0x0A]) ? [body.count] : [])
  }

  /// The documents of the events that a chat completion is read from.
  private static func dataLines(_ body: [UInt8]) -> [Range<Int>] {
    var lines: [Range<Int>] = []
    var start = 0
    for end in body.indices where body[end] == 0x0A {
      if body[start..<end].starts(with: "data: {".utf8) { lines.append((start + 6)..<end) }
      start = end + 1
    }
    return lines
  }

  private static func pieces(_ bytes: [UInt8], _ random: inout SplitMix) -> [ArraySlice<UInt8>] {
    var pieces: [ArraySlice<UInt8>] = []
    var rest = bytes[...]
    let longest = [3, 40, 300, 1 << 20][random.below(4)]
    while !rest.isEmpty {
      let count = 1 + random.below(longest)
      pieces.append(rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    return pieces
  }

  private static func shown(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix(4000), as: UTF8.self).debugDescription }
}

/// The text of a reply by way of trees: slow, plain, and knowing nothing of how the decoder reads.
private enum OtherReader {
  /// Nil where it does not say: what stands there is not JSON to it, or not of the plain form.
  static func text(of bytes: [UInt8]) -> String? {
    let isDocument = bytes.first { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 } == UInt8(ascii: "{")
    var text = ""
    if isDocument {
      guard let document = try? JSONValue(parsing: bytes), let piece = piece(of: document) else { return nil }
      text = piece
    } else {
      let whole = String(decoding: bytes, as: UTF8.self)
      // Other line endings, and data over several lines, are another test's.
      if bytes.contains(0x0D) || bytes.contains(0) { return nil }
      for event in whole.split(separator: "\n\n") {
        let lines = event.split(separator: "\n").filter { !$0.hasPrefix(":") }
        if lines.isEmpty { continue }
        guard lines.count == 1, lines[0].hasPrefix("data:") else { return nil }
        let data = lines[0].dropFirst(5).drop { $0 == " " }
        if data.lowercased().hasPrefix("[done]") { break }
        if data.isEmpty { continue }
        guard let document = try? JSONValue(parsing: data.utf8), let piece = piece(of: document) else { return nil }
        text += piece
      }
    }
    return text.contains("\u{FFFD}") || text.contains("<think>") ? nil : text
  }

  private static func piece(of document: JSONValue) -> String? {
    guard case .object(let members) = document, Set(members.map(\.key)).count == members.count else { return nil }
    guard let choices = document["choices"] else { return "" }
    guard let list = choices.array else { return nil }
    var text = ""
    for (position, choice) in list.enumerated() {
      guard case .object(let members) = choice, Set(members.map(\.key)).count == members.count else { return nil }
      let index: Int
      switch choice["index"] {
      case nil: index = position
      case .int(let number)?: index = number
      default: return nil
      }
      if index != 0 { continue }
      if choice["delta"] != nil, choice["message"] != nil { return nil }
      guard let message = choice["delta"] ?? choice["message"] else { continue }
      guard case .object(let members) = message, Set(members.map(\.key)).count == members.count else { return nil }
      switch message["content"] {
      case nil, .null?: continue
      case .string(let content)?: text += content
      default: return nil
      }
    }
    return text
  }
}
