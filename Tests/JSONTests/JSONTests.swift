import JSON
import Testing

@Suite struct JSONTests {
  @Test(arguments: [
    #"{"a":1,"b":[true,false,null],"c":"x\n\"\\ü"}"#, "[]", "{}", "-0.5", "12345678901234567", #""\u001f""#, #"{"b":1,"a":2}"#,
  ])
  func writesWhatItReads(_ text: String) throws {
    #expect(try JSONValue(parsing: text.utf8).text == text)
  }

  @Test func escapes() throws {
    #expect(try JSONValue(parsing: #""\u00e9 \ud83d\ude00 \/ \b""#.utf8) == .string("é 😀 / \u{8}"))
    // A half of a pair is no character.
    #expect(try JSONValue(parsing: #""\ud83d x""#.utf8) == .string("\u{FFFD} x"))
  }

  /// Every byte, at every place of the words that are looked at together, behind every other kind of byte.
  @Test func plainRunsEndWhereTheyEnd() {
    func isPlain(_ byte: UInt8) -> Bool { byte != 0x22 && byte != 0x5C && byte >= 0x20 }
    for around in [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F, 0x80, 0xA2, 0xDC, 0xFF] as [UInt8] {
      for count in 0..<19 {
        for place in 0..<count {
          var bytes = [UInt8](repeating: around, count: count)
          for byte in 0...255 as ClosedRange<UInt8> {
            bytes[place] = byte
            // What follows the end must not move it.
            if place + 1 < count { bytes[place + 1] = byte % 3 == 0 ? byte &- 1 : around }
            let end = bytes.withUnsafeBytes { JSONString.plainEnd($0, from: place / 2) }
            let expected = bytes[(place / 2)...].firstIndex { !isPlain($0) } ?? count
            if end != expected { Issue.record("\(bytes): \(end) instead of \(expected)") }
          }
        }
      }
    }
  }

  @Test func keepsWholeNumbersWhole() throws {
    #expect(try JSONValue(parsing: "9007199254740993".utf8) == .int(9_007_199_254_740_993))
    #expect(try JSONValue(parsing: "1e2".utf8) == .number(100))
  }

  @Test(arguments: [
    ("", 0), ("{", 1), ("[1,]", 3), ("{\"a\" 1}", 5), ("01", 0), ("tru", 0), ("\"a", 0), ("1 2", 2), ("\"\u{1}\"", 1), ("nul", 0),
    ("[1 2]", 3), ("1.", 2), ("-", 0),
  ])
  func saysWhereItIsWrong(_ text: String, _ offset: Int) {
    #expect { try JSONValue(parsing: text.utf8) } throws: { ($0 as? JSONError)?.offset == offset }
  }

  @Test func refusesDeepNesting() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(throws: JSONError.self) { try JSONValue(parsing: deep.utf8) }
  }

  /// No input crashes the scanner: every prefix, and every single changed byte, of a document with everything in it.
  @Test func hostileBytesNeverCrash() {
    let document = Array(#"{"k":[1,-2.5e+3,"\u12ab\ud800\udc00",{"x":null,"y":[true,false]}]}"#.utf8)
    for length in document.indices { _ = try? JSONValue(parsing: document.prefix(length)) }
    for index in document.indices {
      for byte in [0, 0x22, 0x5C, 0x7B, 0x80, 0xFF] as [UInt8] {
        var changed = document
        changed[index] = byte
        _ = try? JSONValue(parsing: changed)
      }
    }
  }
}
