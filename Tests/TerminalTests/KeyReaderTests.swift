import Testing

@testable import Editor

/// What comes from a terminal that is no key, and what begins and never ends.
@Suite struct KeyReaderTests {
  /// Feeds pieces one after the other; `late` after each says that nothing followed for a while.
  private func keys(_ pieces: [[UInt8]], late: Bool = false, holdsMeta: Bool = true) -> [Key] {
    var reader = KeyReader()
    var keys: [Key] = []
    func drain(_ reader: inout KeyReader) {
      while let key = reader.next() {
        if key == .escape, holdsMeta { reader.holdMeta() } else { keys.append(key) }
      }
    }
    for piece in pieces {
      reader.append(piece)
      drain(&reader)
      if late {
        reader.becomeLate()
        drain(&reader)
      }
    }
    return keys
  }

  private func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// What terminals say by themselves is not typed, however it is cut.
  @Test(arguments: [
    "\u{1B}]11;rgb:0000/0000/0000\u{1B}\\", "\u{1B}]11;rgb:0000/0000/0000\u{7}", "\u{1B}P1$r0m\u{1B}\\", "\u{1B}_Gi=1;OK\u{1B}\\",
    "\u{1B}^private\u{1B}\\", "\u{1B}Xstring\u{1B}\\", "\u{1B}[M !!", "\u{1B}[[A", "\u{1B}[[E", "\u{1B}[<0;10;10M", "\u{1B}[I", "\u{1B}[O",
    "\u{1B}[?62;22c", "\u{1B}[24;80R", "\u{1B}O2P", "\u{1B}[15;2~", "\u{1B}[201~",
  ])
  func whatTerminalsSayIsNotTyped(_ said: String) {
    let bytes = text("a\(said)b")
    for cut in bytes.indices {
      #expect(keys([Array(bytes[..<cut]), Array(bytes[cut...])]) == [.character("a"), .character("b")], "\(cut)")
    }
    #expect(keys(bytes.map { [$0] }) == [.character("a"), .character("b")])
  }

  /// A mouse far to the right sends bytes that are no UTF-8.
  @Test func anX10MouseAnywhere() {
    #expect(keys([[0x1B, 0x5B, 0x4D, 0x20, 0xFF, 0xC3, 0x61]]) == [.character("a")])
  }

  /// Whatever has begun and never ends, a control character is itself.
  @Test(
    arguments: [
      "\u{1B}]11;rgb", "\u{1B}P1$r", "\u{1B}_G", "\u{1B}^p", "\u{1B}Xs", "\u{1B}[", "\u{1B}[1;", "\u{1B}O", "\u{1B}O2", "\u{1B}",
      "\u{1B}[200~hello",
    ], [3, 4, 26, 13] as [UInt8])
  func whatNeverEndsIsEndedByAKey(_ begun: String, _ key: UInt8) {
    var read = keys([text(begun), [key]], late: true)
    if begun.hasSuffix("hello") {
      // A paste may hold anything but ^C, where it has fallen silent.
      read = keys([text(begun), key == 3 ? [] : [key], [3]], late: true)
      #expect(read == [.paste(key == 3 ? "hello" : "hello\(Character(Unicode.Scalar(key)))"), .character("\u{3}")])
    } else {
      #expect(read == [.character(Unicode.Scalar(key))])
    }
  }

  @Test func aPasteMayHoldControlCharactersAndPartsOfItsMark() {
    #expect(keys([text("\u{1B}[200~a\u{3}\u{1B}[20b\u{1B}\u{1B}[201~c")]) == [.paste("a\u{3}\u{1B}[20b\u{1B}"), .character("c")])
  }

  /// Every byte of a paste is looked at once.
  @Test func pastesAreLinear() {
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
    func time(_ pieces: Int) -> Duration {
      ContinuousClock().measure {
        var reader = KeyReader()
        reader.append(text("\u{1B}[200~"))
        for _ in 0..<pieces {
          reader.append(piece)
          _ = reader.next()
        }
        reader.append(text("\u{1B}[201~"))
        #expect(reader.next() == .paste(String(repeating: "x", count: pieces * piece.count)))
      }
    }
    _ = time(10)
    // Sixteen times as much took 256 times as long.
    #expect(time(1600) < max(time(100), .milliseconds(1)) * 100)
  }

  /// A character may come in pieces, however late; what is no part of it ends it, and is a key of its own.
  @Test func charactersMayBeCutAndBroken() {
    for character: Unicode.Scalar in ["é", "日", "😀"] {
      #expect(keys(text("\(character)x").map { [$0] }, late: true) == [.character(character), .character("x")])
    }
    let broken = Key.character("\u{FFFD}")
    // é of a terminal that speaks Latin 1, and Enter or ^C behind it.
    for key in [13, 3, 0x61] as [UInt8] {
      #expect(keys([[0xE9], [key]], late: true) == [broken, .character(Unicode.Scalar(key))])
      #expect(keys([[0xE9, key]]) == [broken, .character(Unicode.Scalar(key))])
    }
    #expect(keys([[0x61, 0xFF, 0x63, 0x64]]) == [.character("a"), broken, .character("c"), .character("d")])
    #expect(keys([[0xF0, 0x9F, 0x1B, 0x5B, 0x41]]) == [broken, .up])
  }

  /// ESC and a letter are Meta, however late the letter; ^C behind an ESC is ^C.
  @Test func metaMayBeSlow() {
    #expect(keys([[0x1B], text("b"), [0x1B], text("[A"), [0x1B], text("x")], late: true) == [.wordLeft, .up])
    #expect(keys([[0x1B], [3]], late: true) == [.character("\u{3}")])
    #expect(keys([[0x1B], text("b")], late: true, holdsMeta: false) == [.escape, .character("b")])
    #expect(keys([[0x1B, 0xC3, 0xA9]]) == [.character("é")])
  }
}
