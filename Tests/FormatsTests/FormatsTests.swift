import Formats
import JSON
import Testing

@Suite struct FormatsTests {
  /// Reads `text` in pieces of `size` bytes.
  private func read(_ text: [UInt8], _ format: FileFormat, pieces size: Int) throws -> [JSONValue] {
    var reader = format.reader()
    var rows: [JSONValue] = []
    var start = 0
    while start < text.count {
      let piece = Array(text[start..<min(start + size, text.count)])
      try piece.withUnsafeBytes { try reader.feed($0, into: &rows) }
      start += size
    }
    try reader.finish(into: &rows)
    return rows
  }

  private func rows(_ text: String, _ format: FileFormat) throws -> String {
    let bytes = Array(text.utf8)
    let whole = try read(bytes, format, pieces: 1 << 20)
    // However the file is cut, the rows are the same.
    for size in 1...7 { #expect(try read(bytes, format, pieces: size) == whole) }
    return whole.map(\.text).joined(separator: "\n")
  }

  @Test func csv() throws {
    #expect(
      try rows("\u{FEFF}q,n\r\n\"a, \"\"b\"\"\nc\",7\r\n\r\nx,\"7\"\n", .csv) == """
        {"q":"a, \\"b\\"\\nc","n":"7"}
        {"q":"x","n":"7"}
        """)
    // The first byte of a fullwidth character is that of a byte order mark.
    #expect(try rows("！id,n\nx,1\n", .csv) == "{\"！id\":\"x\",\"n\":1}")
    #expect(try rows("\u{FEFF}！id\nx\n", .csv) == "{\"！id\":\"x\"}")
    #expect(try rows("a\tb\n007\t1.50\ntrue\t-2", .tsv) == "{\"a\":\"007\",\"b\":1.50}\n{\"a\":\"true\",\"b\":-2}")
  }

  @Test func lines() throws {
    #expect(try rows("one\r\ntwo\n\nfour", .txt) == "\"one\"\n\"two\"\n\"\"\n\"four\"")
    #expect(try rows("{\"a\":1}\n\n [2]\n", .jsonl) == "{\"a\":1}\n[2]")
    #expect(try rows("[{\"a\":1},\n2]", .json) == "{\"a\":1}\n2")
    #expect(try rows("# T\n\ntext\n", .md) == "\"# T\\n\\ntext\\n\"")
  }

  @Test(arguments: [
    (FileFormat.csv, "a,b\n1,2\n3\n", 3, 1, "this row has 1 fields, the header has 2"),
    (.csv, "a,b\n1,\"2\n3,4\n", 2, 3, "a quote that opens here is never closed"),
    (.csv, "a,b\n\"1\"x,2\n", 2, 4, "after a closing quote a separator or the end of the row was expected"),
    (.csv, "a,a\n", 1, 3, "there are two columns `a`"),
    (.jsonl, "{\"a\":1}\n{\"a\":\n", 2, 6, "this line is not JSON: unexpected end of JSON"),
    (.json, "[1,\n 2 3]", 2, 4, "this is not JSON: `,` or `]` was expected"),
  ])
  func saysWhereAFileIsWrong(_ format: FileFormat, _ text: String, _ line: Int, _ column: Int, _ message: String) {
    #expect(throws: FormatError(message, line: line, column: column)) { try read(Array(text.utf8), format, pieces: 3) }
  }

  @Test(arguments: [FileFormat.txt, .jsonl, .md])
  func refusesWhatIsNotUTF8(_ format: FileFormat) {
    #expect { try read([0x61, 0x62, 0xFF, 0x63], format, pieces: 64) } throws: { error in
      (error as? FormatError)?.message == "this is not UTF-8 text" && (error as? FormatError)?.column == 3
    }
  }

  @Test func writes() throws {
    func written(_ format: FileFormat, _ rows: [JSONValue]) throws -> String {
      var writer = RowWriter(format)
      var out: [UInt8] = []
      for row in rows { out += try writer.row(row) }
      return String(decoding: out + writer.end(), as: UTF8.self)
    }
    let rows: [JSONValue] = [.object([("a", .string("x, \"y\"\nz")), ("b", .null)]), .object([("a", .int(1)), ("b", .bool(true))])]
    #expect(try written(.csv, rows) == "a,b\n\"x, \"\"y\"\"\nz\",\n1,true\n")
    #expect(try written(.jsonl, rows) == "{\"a\":\"x, \\\"y\\\"\\nz\",\"b\":null}\n{\"a\":1,\"b\":true}\n")
    #expect(try written(.json, []) == "[]\n")
    #expect(throws: RowWriter.Problem.self) { try written(.csv, [.object([("a", .int(1))]), .object([("b", .int(1))])]) }
  }

  /// Each as the first and the second of two columns, as the only one, and as a column's name.
  @Test(arguments: [FileFormat.csv, .tsv])
  func everyTextComesBack(_ format: FileFormat) throws {
    let marks = [
      ",", "\"", "\t", "\n", "\r", "\r\n", " ", "|", "-1", "007", "+1", "true", "1e308", "\u{FEFF}", "\u{0}", "\u{85}", "\u{2028}", "",
      "é", "👨‍👩‍👧", "1,5", "=1+1", "#",
    ]
    // A mark that combines with what stands before it makes one character of both, and two bytes of a file all the same.
    let texts = marks + marks.map { $0 + "\u{301}x" } + marks.map { "x" + $0 } + marks.map { $0 + $0 }
    for text in texts {
      let rows: [JSONValue] = [
        .object([("a", .string(text)), ("b", .string("z"))]), .object([("a", .string("z")), ("b", .string(text))]),
      ]
      #expect(try roundTrip(rows, format) == rows, "\(text.unicodeScalars.map(\.value))")
      let single: [JSONValue] = [.object([("a", .string(text))]), .object([("a", .string("z"))])]
      #expect(try roundTrip(single, format) == single, "\(text.unicodeScalars.map(\.value))")
      if text.isEmpty || text.first == "\u{FEFF}" { continue }
      let named: [JSONValue] = [.object([(text, .int(1)), ("\(text).", .int(2))])]
      #expect(try roundTrip(named, format) == named, "\(text.unicodeScalars.map(\.value))")
    }
  }

  /// An empty line is no row, and a cell of its own that holds nothing is one.
  @Test func theOnlyCellOfARowMayHoldNothing() throws {
    let rows: [JSONValue] = [.object([("a", .int(1))]), .object([("a", .null)]), .object([("a", .int(3))])]
    #expect(try roundTrip(rows, .csv) == rows)
    #expect(
      try self.rows("a,b\n1,\"\"\n\"\",x\n", .csv) == "{\"a\":1,\"b\":\"\"}\n{\"a\":null,\"b\":\"x\"}")
  }

  private func roundTrip(_ rows: [JSONValue], _ format: FileFormat) throws -> [JSONValue] {
    var writer = RowWriter(format)
    var out: [UInt8] = []
    for row in rows { out += try writer.row(row) }
    return try read(out + writer.end(), format, pieces: 64)
  }

  /// Of a header, too: rows that are added find their columns.
  @Test func aMarkdownHeaderIsReadAsItWasWritten() throws {
    for name in ["a\\|b", "|", "\\", "a\\\\|", "\\\\|\\|\\", "a\u{2028}b\u{85}c\u{B}d\u{C}e", "|\u{301}", "a|b"] {
      var writer = RowWriter(.md)
      let text = String(decoding: try writer.row(.object([(name, .int(1)), ("z", .int(2))])), as: UTF8.self)
      #expect(MarkdownTable.columns(atTheEndOf: text) == [name, "z"], "\(text)")
      #expect(MarkdownTable.columns(atTheEndOf: text.replacing("\n", with: "\r\n")) == [name, "z"], "\(text)")
    }
  }

  @Test func findsTheTableThatATextEndsWith() {
    let table = "| a | b\\|c |  |\n| --- | :-: | --: |\n| 1 | 2 | 3 |\n"
    #expect(MarkdownTable.columns(atTheEndOf: table) == ["a", "b|c", ""])
    #expect(MarkdownTable.columns(atTheEndOf: "# T\n\nwords\n\n" + table.dropLast()) == ["a", "b|c", ""])
    for text in ["", "\n", "words\n", table + "\n", table + "words\n", "| a |\n| b |\n", "| a |\n"] {
      #expect(MarkdownTable.columns(atTheEndOf: text) == [], "\(text)")
    }
  }
}
