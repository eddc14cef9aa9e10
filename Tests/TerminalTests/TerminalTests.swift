import Terminal
import Testing
import TextWidth

@testable import Editor

@Suite struct TerminalTests {
  @Test func noControlCharacterReachesTheTerminal() {
    let all = String(String.UnicodeScalarView((0..<0xA0).compactMap(Unicode.Scalar.init)))
    let clean = ControlGuard.clean(all)
    #expect(clean.unicodeScalars.allSatisfy { $0 == "\n" || $0 == "\t" || ($0.value >= 0x20 && !(0x7F...0x9F).contains($0.value)) })
    #expect(ControlGuard.clean("\u{1B}]0;owned\u{7}") == "␛]0;owned␇")
    #expect(ControlGuard.clean("a\r\nb\rc") == "a\nb␍c")
    // A pair cut in two is still one line end.
    var guarding = ControlGuard()
    #expect(guarding.clean("a\r") + guarding.clean("\nb") == "a\nb")
  }

  @Test(arguments: [("abc", 3), ("日本", 4), ("e\u{301}", 1), ("👨‍👩‍👧", 2), ("🇩🇪", 2), ("☁️", 2), ("\u{200B}", 0), ("ｱ", 1), ("", 0)])
  func widths(_ text: String, _ width: Int) {
    #expect(DisplayWidth.of(text) == width)
  }

  @Test func tablesFitTheirWidth() {
    let table = Table(
      columns: [.init("#", isNumber: true), .init("input"), .init("reply")],
      rows: [["0", "日本語のテキスト", String(repeating: "long ", count: 40)], ["1", "x\ny", "\u{1B}[31mred"]])
    for width in [20, 40, 80, 200] {
      for line in table.lines(width: width) { #expect(DisplayWidth.of(line) <= width, "\(line)") }
    }
    #expect(table.lines(width: 40)[2] == "1  x y               ␛[31mred")
    #expect(table.tabSeparated[2] == "1\tx y\t␛[31mred")
  }

  /// A number that is cut reads as another: columns are left out instead, and named.
  @Test func narrowTablesCutNoNumbers() {
    let table = Table(
      columns: [
        .init("#", isNumber: true), .init("name"), .init("state"), .init("done"), .init("tokens", isNumber: true), .init("what"),
      ],
      rows: [["0", "facts", "running", "123/4567", "1234567", String(repeating: "long ", count: 40)]])
    #expect(table.lines(width: 40).prefix(2) == ["#  name   state    done       tokens", "0  facts  running  123/4567  1234567"])
    #expect(table.lines(width: 40).dropFirst(2).joined(separator: " ").hasPrefix("… without what: `show --wide`"))
    #expect(table.lines(width: 24)[1] == "0  facts  running")
    for width in 10...60 { for line in table.lines(width: width) { #expect(DisplayWidth.of(line) <= width, "\(width): \(line)") } }
  }

  @Test func progressFitsItsWidth() {
    var line = ProgressLine(name: "stories")
    (line.done, line.total, line.inFlight, line.limit, line.rate, line.elapsed) = (2, 3, 1, 8, "41 tok/s", "2.1s")
    #expect(line.text(width: 100) == " stories ━━━━━━━━━━━━━━━━━━╸           2/3 · 1 in flight of 8 · 0 failed · 41 tok/s · 2.1s")
    for width in 1...120 { #expect(DisplayWidth.of(line.text(width: width)) <= width) }
  }

  // MARK: the editor's pure parts

  @Test func layoutWrapsAndKnowsItsCursor() {
    let layout = Layout(prompt: "psh> ", continuation: "...> ", text: "ab日\ncd", cursor: 3, width: 9)
    #expect(layout.rows == ["psh> ab", "日", "...> cd"] || layout.rows == ["psh> ab日", "...> cd"])
    let end = Layout(prompt: "> ", continuation: ". ", text: "abc", cursor: 3, width: 80)
    #expect(end.cursorRow == 0 && end.cursorColumn == 5)
    let tall = Layout(prompt: "> ", continuation: "", text: (0..<50).map(String.init).joined(separator: "\n"), cursor: 0, width: 80).window(
      height: 10)
    #expect(tall.rows.count == 10 && tall.cursorRow == 0)
  }

  @Test func keysFromBytesHoweverTheyAreCut() {
    let bytes = Array("a\u{1B}[A\u{1B}OBé日🙂\u{1B}[200~x\ny\u{1B}[201~\u{1B}b\u{1B}[3~\u{1B}[99;9zq".utf8)
    let expected: [Key] = [
      .character("a"), .up, .down, .character("é"), .character("日"), .character("🙂"), .paste("x\ny"), .wordLeft, .delete, .character("q"),
    ]
    func read(_ pieces: [ArraySlice<UInt8>]) -> [Key] {
      var reader = KeyReader()
      var keys: [Key] = []
      for piece in pieces {
        reader.append(piece)
        while let key = reader.next() { keys.append(key) }
      }
      return keys
    }
    for cut in bytes.indices { #expect(read([bytes[..<cut], bytes[cut...]]) == expected, "cut at \(cut)") }
    var lone = KeyReader()
    lone.append([0x1B])
    #expect(lone.next() == nil)
    lone.becomeLate()
    #expect(lone.next() == .escape)
    #expect(!lone.awaitsMore)
  }

  @Test func historyKeepsNoSecretsAndComesBack() {
    for text in ["let a = 1", "two\nlines \"q\" \\ \t", "é\u{1}"] {
      #expect(History.decode(ArraySlice(History.encode(text).utf8)) == text || text.contains("\u{1}"))
    }
    #expect(History.mayHoldSecret("use http://x --key sk-abcdefghijklmnop1234"))
    #expect(History.mayHoldSecret("let k = \"0123456789abcdef0123456789abcdef\""))
    #expect(!History.mayHoldSecret("ask \"Write a short story about a time-traveling scientist.\""))
    let history = History(path: nil)
    history.add("one")
    history.add("two")
    history.add("one")
    history.add("sk-abcdefghijklmnop1234")
    #expect(history.lines == ["two", "one"])
  }
}

@Suite struct FooterAndColumnsTests {
  private func text(_ drawing: Drawing) -> String { String(decoding: drawing.bytes, as: UTF8.self) }

  /// What wrapped when the window shrank is erased whole.
  @Test func aBlockIsErasedAtAnyWidth() {
    var block = LiveBlock()
    let wide = StyledText(String(repeating: "x", count: 90), .hint)
    #expect(text(block.draw([wide, "y"])).hasSuffix("y\u{1B}[?2026l"))
    #expect(text(block.draw([StyledText(wide.plain), "y"])).ranges(of: "\u{1B}[2K").count == 2)
    block.resized(to: 40)
    #expect(text(block.erase()).ranges(of: "\u{1B}[2K").count == 4)
    #expect(block.erase().isEmpty && !block.isShown)
    _ = block.draw(["same"])
    #expect(block.draw(["same"]).isEmpty)
    // A word more at the end of a stream is written alone.
    #expect(text(block.draw(["same again"])) == " again")
  }

  /// Text is text, whoever writes it: it names none of our sequences.
  @Test func noTextIsASequence() {
    var drawing = Drawing()
    drawing.text("\u{1B}[2J")
    drawing.row(StyledText("\u{1B}]52;c;eA==\u{7}\n", .error))
    #expect(text(drawing) == "␛[2J\u{1B}[31m␛]52;c;eA==␇ \u{1B}[0m")
  }

  @Test func columnsWrapByWordsAndKeepTheirWidth() {
    #expect(Columns.width(of: 2, in: 100) == 48)
    #expect(Columns.width(of: 5, in: 100) == nil && Columns.width(of: 1, in: 100) == nil)
    let rows = Columns.rows([("a", "one two three four five six seven"), ("日本", "日本語日本語日本語日本語日本語 end")], width: 24, height: nil)
    #expect(rows[0].hasPrefix("a") && rows[0].contains("日本"))
    #expect(rows[2] == "one two three four five   日本語日本語日本語日本語")
    #expect(rows[3] == "six seven                 日本語 end")
    #expect(Columns.rows([("a", "1\n2\n3"), ("b", "")], width: 24, height: 2).suffix(2) == ["2", "3"])
    // No reply moves the cursor.
    #expect(!Columns.rows([("a", "x\u{1B}[2Jy"), ("b", "")], width: 24, height: 5).joined().contains("\u{1B}"))
  }
}
