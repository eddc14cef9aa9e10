import Formats
import JSON
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Hostile files: no reader crashes, each ends, and what it says does not depend on how the file came. `scripts/fuzz files` takes more.
@Suite struct FileFuzzTests {
  static func number(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }
  static let seed = number("PROMPTSH_FUZZ_SEED") ?? 42
  static let rounds = Int(number("PROMPTSH_FUZZ_INPUTS") ?? (getenv("PROMPTSH_LONG") == nil ? 3000 : 1_000_000))

  private static let samples: [(FileFormat, String)] = [
    (.csv, "q,n,t\r\n\"a, \"\"b\"\"\nc\",7,true\r\n\r\nx,8,false\n"), (.csv, "a;b\n1;2\n3;4"),
    (.csv, "\u{FEFF}id,name\r007,\"Ada\"\r1,é\r"),
    (.csv, "prompt,model,text,finish,attempts\np,sim/x,t,stop,1\np,sim/x,,,2\n"), (.csv, "n\n12345678901234567890\n1e400\n-0\n+1\n"),
    (.tsv, "a\tb\n1.50\t-2\n\"x\ty\"\t\n"), (.jsonl, "{\"a\":1,\"b\":[true,null,\"\\ud83d\\ude00\"]}\n\n[2]\n\"x\"\n"),
    (.jsonl, "{\n  \"a\": {\n    \"b\": \"}\\\"{\"\n  }\n}\n{\"a\":2}\n"),
    (.jsonl, "{\"prompt\":\"p\",\"model\":\"a/b\",\"text\":\"t\",\"finish\":\"stop\",\"attempts\":1}\n"),
    (.json, "[{\"a\":1},\n  [1,2,{}], \"]\", 1e3]\n"), (.json, "{\"only\": [1, 2, 3]}"), (.txt, "one\r\ntwo\n\n\u{1F600}\n"),
    (.md, "# Title\n\n- a\n"),
  ]

  private static let pieces = [
    "\"", "\"\"", ",", ";", "\t", "\n", "\r", "\r\n", "{", "}", "[", "]", ":", "\\", "\\u", "\\ud83d", "0", "1e", "-", "+", "true", "null",
    " ", "\u{FEFF}",
    "\u{0}", "é", "\u{1F600}", "12345678901234567890", "a", "prompt,model,text,finish,attempts\n",
  ].map { Array($0.utf8) }

  /// What came of reading: the rows, and what was wrong behind them.
  private struct Outcome: Equatable {
    var rows: [JSONValue] = []
    var fault: FormatError?
    var passedOver = 0
  }

  private func read(_ text: [UInt8], _ format: FileFormat, lenient: Bool = false, _ cut: (inout Seeded) -> Int, _ random: inout Seeded)
    -> Outcome
  {
    var options = ReadingOptions()
    options.isLenient = lenient
    var reader = format.reader(options)
    var outcome = Outcome()
    do throws(FormatError) {
      var start = 0
      while start < text.count {
        let end = min(text.count, start + cut(&random))
        try reader.feed(Array(text[start..<end]), into: &outcome.rows)
        start = end
      }
      try reader.finish(into: &outcome.rows)
    } catch { outcome.fault = error }
    outcome.passedOver = reader.faults.count
    return outcome
  }

  @Test func mutatedFiles() {
    var random = Seeded(state: Self.seed)
    var (whole, broken) = (0, 0)
    for round in 0..<Self.rounds {
      let (format, sample) = Self.samples[random.below(Self.samples.count)]
      let text = Self.mutated(Array(sample.utf8), &random)
      let once = read(text, format, { _ in .max }, &random)
      let cut = read(text, format, { 1 + $0.below(5) }, &random)
      let words: Comment = "seed \(Self.seed), round \(round): \(format) \(String(decoding: text, as: UTF8.self).debugDescription)"
      // However it is cut, the rows and the fault are the same.
      #expect(once == cut, words)
      let lenient = read(text, format, lenient: true, { _ in .max }, &random)
      if once.fault == nil {
        whole += 1
        // A file without a fault has none to pass over.
        #expect(lenient == once, words)
        roundTrip(once.rows, words)
      } else {
        broken += 1
        #expect(lenient.fault != nil || lenient.passedOver > 0, words)
      }
    }
    // Both happen, or nothing was tried.
    #expect(whole > Self.rounds / 20 && broken > Self.rounds / 20, "\(whole) whole, \(broken) broken")
  }

  /// What `save` writes of rows, `load` reads as the same rows.
  private func roundTrip(_ rows: [JSONValue], _ words: Comment) {
    var random = Seeded(state: 1)
    for format in [FileFormat.jsonl, .json] {
      var writer = RowWriter(format)
      var bytes: [UInt8] = []
      do throws(RowWriter.Problem) {
        for row in rows { bytes += try writer.row(row) }
      } catch { Issue.record("\(error.message): \(words)") }
      bytes += writer.end()
      let back = read(bytes, format, { _ in .max }, &random)
      // Lists are documents of their own in lines, and rows in a list.
      #expect(back.fault == nil && back.rows == rows, words)
    }
    // A table has columns: rows with the same plain fields.
    guard case .object(let first)? = rows.first, !first.isEmpty else { return }
    let names = first.map(\.key)
    guard Set(names).count == names.count, !names.contains(""), rows.allSatisfy({ Self.isPlain($0, names) }) else { return }
    for format in [FileFormat.csv, .tsv] {
      var writer = RowWriter(format)
      var bytes: [UInt8] = []
      do throws(RowWriter.Problem) { for row in rows { bytes += try writer.row(row) } } catch { Issue.record("\(error.message): \(words)") }
      let back = read(bytes, format, { _ in .max }, &random)
      #expect(back.fault == nil && back.rows == rows, "\(format): \(String(decoding: bytes, as: UTF8.self).debugDescription) of \(words)")
    }
  }

  /// Of texts alone: what a table's column is, its other cells decide.
  private static func isPlain(_ row: JSONValue, _ names: [String]) -> Bool {
    guard case .object(let members) = row, members.map(\.key) == names else { return false }
    return members.allSatisfy { member in if case .string = member.value { true } else { false } }
  }

  private static func mutated(_ sample: [UInt8], _ random: inout Seeded) -> [UInt8] {
    var text = sample
    for _ in 0..<random.below(5) {
      let place = random.below(text.count + 1)
      switch random.below(6) {
      case 0: text.insert(contentsOf: pieces[random.below(pieces.count)], at: place)
      case 1: if place < text.count { text[place] = UInt8(random.below(256)) }
      case 2: text.removeSubrange(place..<min(text.count, place + random.below(6)))
      case 3: text = Array(text[..<place])
      case 4: text.insert(contentsOf: text[..<place], at: place)
      default: text += pieces[random.below(pieces.count)]
      }
    }
    return text
  }

  struct Seeded {
    var state: UInt64
    mutating func below(_ end: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 16) % UInt64(end))
    }
  }
}
