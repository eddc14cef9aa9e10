import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Random keys, pastes and resizes against the real program: it lives, its buffer is a model's, and the terminal is given back.
///
/// `PROMPTSH_FUZZ_ROUNDS=100 scripts/test --filter FuzzTests` looks further.
@Suite(.serialized) struct FuzzTests {
  static let rounds = getenv("PROMPTSH_FUZZ_ROUNDS").flatMap { Int(String(cString: $0)) } ?? 3

  @Test(arguments: 0..<rounds)
  func keysPastesAndResizes(_ seed: Int) async throws {
    var random = SplitMix(seed)
    let keep = "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n > n; cp \"$1\" kept; mv kept out-$n\n"
    let pane = try await Pane(columns: 80, rows: 24, environment: ["EDITOR": "sh ./editor"], shell: true, files: ["editor": keep])
    try await pane.wait("the shell") { $0.last == "$" }
    await pane.enter("stty -a > before; clear; $PSH")
    try await pane.prompt()
    var model = BufferModel()
    for batch in 1...8 {
      var bytes: [UInt8] = []
      var keys: [String] = []
      for _ in 0..<40 {
        let key = FuzzKey.allCases[random.below(FuzzKey.allCases.count)]
        let (sent, text) = key.bytes(&random)
        bytes += sent
        keys.append("\(key)\(text.isEmpty ? "" : " \(text.debugDescription)")")
        model.apply(key, text)
      }
      if random.below(2) == 0 { try await pane.resize(20 + random.below(100), 5 + random.below(40)) }
      await pane.send(bytes: bytes + [0x1B, UInt8(ascii: "e")])
      var kept = try await pane.file("out-\(batch)")
      kept.removeLast()
      #expect(kept == model.string, "seed \(seed), batch \(batch): \(keys.joined(separator: ", "))")
      model.reload(kept)
      try await pane.waitForKeys()
    }
    try await pane.resize(80, 24)
    await pane.press("C-c")
    try await pane.prompt()
    await pane.press("C-d")
    try await pane.wait("the shell again") { $0.last?.hasSuffix("$") == true }
    await pane.enter("stty -a > after; echo x > done")
    _ = try await pane.file("done")
    let settings = { (text: String) in text.split(separator: "\n").dropFirst().joined() }
    #expect(settings(try await pane.file("before")) == settings(try await pane.file("after")))
    await pane.close()
  }
}

enum FuzzKey: CaseIterable {
  case insert, insertWord, wide, paste, left, right, home, end, backspace, delete, wordLeft, wordRight, killEnd, killStart, killWord
  case deleteWord, yank
  /// Change nothing.
  case functionKey, unknown, widen, clear, search

  /// What the terminal sends, and the text in it.
  func bytes(_ random: inout SplitMix) -> ([UInt8], String) {
    func escape(_ rest: String) -> ([UInt8], String) { ([0x1B] + Array(rest.utf8), "") }
    switch self {
    case .insert:
      let text = String(Character(Unicode.Scalar(UInt8(0x20 + random.below(95)))))
      return (Array(text.utf8), text)
    case .insertWord:
      let text = ["alpha ", "beta-2 ", "{it} ", "x.y "][random.below(4)]
      return (Array(text.utf8), text)
    case .wide:
      let text = ["日", "é", "e\u{301}", "ü"][random.below(4)]
      return (Array(text.utf8), text)
    case .paste:
      let text = ["one\ntwo", "  a b\t", "\n", "long " + String(repeating: "word ", count: 30)][random.below(4)]
      return ([0x1B] + Array("[200~\(text)".utf8) + [0x1B] + Array("[201~".utf8), text)
    case .left: return escape("[D")
    case .right: return escape("[C")
    case .home: return escape("[H")
    case .end: return escape("[F")
    case .backspace: return ([0x7F], "")
    case .delete: return escape("[3~")
    case .wordLeft: return escape("b")
    case .wordRight: return escape("f")
    case .killEnd: return ([0x0B], "")
    case .killStart: return ([0x15], "")
    case .killWord: return ([0x17], "")
    case .deleteWord: return escape("d")
    case .yank: return ([0x19], "")
    case .functionKey: return escape("[\(11 + random.below(14))~")
    case .unknown: return escape("[\(random.below(99));\(random.below(9))u")
    case .widen: return escape("+")
    case .clear: return ([0x0C], "")
    case .search: return ([0x12, UInt8(ascii: "q"), 0x07], "")
    }
  }
}

/// What the buffer should hold.
struct BufferModel {
  private var text: [Unicode.Scalar] = []
  private var cursor = 0
  private var killed: [Unicode.Scalar] = []

  var string: String { String(String.UnicodeScalarView(text)) }

  /// What another editor left: without line ends at its end, the cursor behind it.
  mutating func reload(_ left: String) {
    text = Array(left.unicodeScalars)
    while text.last == "\n" { text.removeLast() }
    cursor = text.count
  }

  mutating func apply(_ key: FuzzKey, _ given: String) {
    switch key {
    case .insert, .insertWord, .wide, .paste: insert(Array(given.unicodeScalars))
    case .left: cursor = max(0, cursor - 1)
    case .right: cursor = min(text.count, cursor + 1)
    case .home:
      let start = text[..<cursor].lastIndex(of: "\n").map { $0 + 1 } ?? 0
      cursor = start == cursor ? 0 : start
    case .end:
      let end = text[cursor...].firstIndex(of: "\n") ?? text.count
      cursor = end == cursor ? text.count : end
    case .backspace: if cursor > 0 { remove(cursor - 1, cursor) }
    case .delete: if cursor < text.count { remove(cursor, cursor + 1) }
    case .wordLeft: cursor = wordStart
    case .wordRight: cursor = wordEnd
    case .killEnd:
      var end = text[cursor...].firstIndex(of: "\n") ?? text.count
      if end == cursor, end < text.count { end += 1 }
      kill(cursor, end)
    case .killStart:
      var start = text[..<cursor].lastIndex(of: "\n").map { $0 + 1 } ?? 0
      if start == cursor, start > 0 { start -= 1 }
      kill(start, cursor)
    case .killWord: kill(wordStart, cursor)
    case .deleteWord: kill(cursor, wordEnd)
    case .yank: insert(killed)
    case .functionKey, .unknown, .widen, .clear, .search: break
    }
  }

  private mutating func insert(_ scalars: [Unicode.Scalar]) {
    text.insert(contentsOf: scalars, at: cursor)
    cursor += scalars.count
  }

  private mutating func kill(_ start: Int, _ end: Int) {
    guard start < end else { return }
    killed = Array(text[start..<end])
    remove(start, end)
  }

  private mutating func remove(_ start: Int, _ end: Int) {
    text.removeSubrange(start..<end)
    cursor = start
  }

  private func isWord(_ index: Int) -> Bool {
    let scalar = text[index]
    return scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "*?_-.[]~=".unicodeScalars.contains(scalar)
  }

  private var wordStart: Int {
    var index = cursor
    while index > 0, !isWord(index - 1) { index -= 1 }
    while index > 0, isWord(index - 1) { index -= 1 }
    return index
  }

  private var wordEnd: Int {
    var index = cursor
    while index < text.count, !isWord(index) { index += 1 }
    while index < text.count, isWord(index) { index += 1 }
    return index
  }
}

struct SplitMix {
  private var state: UInt64
  init(_ seed: Int) { state = (UInt64(seed) &+ 1) &* 0xD6E8_FEB8_6659_FD93 }
  mutating func below(_ count: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % UInt64(count))
  }
}
