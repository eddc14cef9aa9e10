/// What a pattern says, as a tree.
indirect enum PatternNode: Sendable {
  case empty
  case set(ScalarSet)
  case scalar(UInt32)
  case assertion(PatternAssertion)
  case sequence([PatternNode])
  case choice([PatternNode])
  /// `most` nil is without end.
  case repeated(PatternNode, least: Int, most: Int?, isLazy: Bool)
  /// Numbered from 1.
  case group(PatternNode, number: Int)
}

enum PatternAssertion: Sendable, Equatable {
  case start, end, endBeforeNewline, lineStart, lineEnd, wordBoundary, notWordBoundary
}

/// What is wrong with a pattern, and at which of its characters.
public struct PatternError: Error, Sendable, CustomStringConvertible {
  public var message: String
  public var offset: Int
  public var description: String { "\(message) (character \(offset + 1))" }
}

/// Reads the syntax that RE2, Go and Rust share: Perl's without what needs backtracking.
struct PatternParser {
  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var depth = 0
  private var flags = Flags()
  private(set) var names: [String?] = [nil]

  private struct Flags {
    var ignoresCase = false
    var isMultiline = false
    var dotTakesNewlines = false
    var isExtended = false
  }

  static let deepest = 200
  /// What a counted repetition may count to.
  static let mostRepetitions = 1000

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
  }

  mutating func parse() throws(PatternError) -> PatternNode {
    let node = try choice()
    if position < scalars.count { throw problem("`)` closes nothing", at: position) }
    return node
  }

  private func problem(_ message: String, at offset: Int) -> PatternError { PatternError(message: message, offset: offset) }

  private var next: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard next == scalar else { return false }
    position += 1
    return true
  }

  private mutating func take(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    guard position + wanted.count <= scalars.count, Array(scalars[position..<position + wanted.count]) == wanted else { return false }
    position += wanted.count
    return true
  }

  // MARK: structure

  private mutating func choice() throws(PatternError) -> PatternNode {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.deepest { throw problem("groups are nested more than \(Self.deepest) deep", at: position) }
    let outer = flags
    // Flags set within a group end with it.
    defer { flags = outer }
    var branches = [try sequence()]
    while take("|") { branches.append(try sequence()) }
    return branches.count == 1 ? branches[0] : .choice(branches)
  }

  private mutating func sequence() throws(PatternError) -> PatternNode {
    var nodes: [PatternNode] = []
    while let scalar = next, scalar != "|", scalar != ")" {
      if flags.isExtended, skipsBlank(scalar) { continue }
      let start = position
      guard let atom = try atom() else { continue }
      nodes.append(try repetition(of: atom, from: start))
    }
    return nodes.isEmpty ? .empty : nodes.count == 1 ? nodes[0] : .sequence(nodes)
  }

  /// White space and comments of `(?x)`.
  private mutating func skipsBlank(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.properties.isWhitespace {
      position += 1
      return true
    }
    guard scalar == "#" else { return false }
    while let scalar = next, scalar != "\n" {
      _ = scalar
      position += 1
    }
    return true
  }

  private mutating func repetition(of atom: PatternNode, from start: Int) throws(PatternError) -> PatternNode {
    var node = atom
    var isRepeated = false
    while let scalar = next {
      let at = position
      let least: Int
      let most: Int?
      switch scalar {
      case "*": (least, most) = (0, nil)
      case "+": (least, most) = (1, nil)
      case "?": (least, most) = (0, 1)
      case "{":
        guard let counts = try counts() else { return node }
        (least, most) = counts
        position -= 1
      default: return node
      }
      if isRepeated { throw problem("a repetition cannot be repeated: put it into a group", at: at) }
      if case .assertion = atom { throw problem("`\(scalar)` has nothing to repeat", at: at) }
      position += 1
      let isLazy = take("?")
      if !isLazy, next == "+" {
        throw problem("a possessive repetition is not supported: nothing here tracks back, so that it would change nothing", at: position)
      }
      node = .repeated(node, least: least, most: most, isLazy: isLazy)
      isRepeated = true
    }
    return node
  }

  /// `{3}`, `{3,}`, `{,3}` and `{3,5}`, up to and including the brace; nil, and nothing taken, where the brace is a plain character.
  private mutating func counts() throws(PatternError) -> (Int, Int?)? {
    let start = position
    position += 1
    let least = number()
    var most = least
    if take(",") { most = number() } else if least == nil { position = start }
    let isOpen = position > start && scalars[position - 1] == ","
    guard position > start, least != nil || most != nil, take("}") else {
      position = start
      if least != nil || most != nil { throw problem("`{` has no `}`; a brace itself is written \\{", at: start) }
      return nil
    }
    let (low, high) = (least ?? 0, isOpen ? nil : most)
    if low > Self.mostRepetitions || (high ?? 0) > Self.mostRepetitions {
      throw problem("a repetition counts to \(Self.mostRepetitions) at most", at: start)
    }
    if let high, high < low { throw problem("{\(low),\(high)} goes downwards", at: start) }
    return (low, high)
  }

  private mutating func number() -> Int? {
    var value: Int?
    while let scalar = next, let digit = scalar.isASCII ? Int(String(scalar)) : nil {
      value = min((value ?? 0) * 10 + digit, 1_000_000)
      position += 1
    }
    return value
  }

  // MARK: atoms

  /// Nil for what is no atom: flags that were set.
  private mutating func atom() throws(PatternError) -> PatternNode? {
    let start = position
    guard let scalar = next else { return nil }
    position += 1
    switch scalar {
    case "(": return try group(start)
    case "[": return .set(try bracket(start))
    case ".":
      let newlines: [ScalarSet.Item] = [.range(10, 10), .range(13, 13)]
      return .set(flags.dotTakesNewlines ? ScalarSet([], isNegated: true) : ScalarSet(newlines, isNegated: true))
    case "^": return .assertion(flags.isMultiline ? .lineStart : .start)
    case "$": return .assertion(flags.isMultiline ? .lineEnd : .end)
    case "\\": return try escape(start)
    case "*", "+", "?": throw problem("`\(scalar)` has nothing to repeat", at: start)
    case "{":
      position = start
      if try counts() != nil { throw problem("`{` has nothing to repeat", at: start) }
      position = start + 1
      return literal(scalar)
    default: return literal(scalar)
    }
  }

  private func literal(_ scalar: Unicode.Scalar) -> PatternNode {
    guard flags.ignoresCase else { return .scalar(scalar.value) }
    return .set(ScalarSet([.range(scalar.value, scalar.value)], foldsCase: true))
  }

  private mutating func group(_ start: Int) throws(PatternError) -> PatternNode? {
    if take("?#") {
      while let scalar = next, scalar != ")" {
        _ = scalar
        position += 1
      }
      guard take(")") else { throw problem("the comment has no end", at: start) }
      return nil
    }
    guard take("?") else { return try capture(nil, start) }
    if take("P<") || next == "<" && scalars.dropFirst(position + 1).first.map({ $0 != "=" && $0 != "!" }) == true && take("<") {
      let nameStart = position
      var name = ""
      while let scalar = next, scalar != ">" {
        name.unicodeScalars.append(scalar)
        position += 1
      }
      guard take(">") else { throw problem("the group's name has no `>`", at: nameStart) }
      guard let first = name.unicodeScalars.first, first == "_" || first.properties.isAlphabetic,
        name.unicodeScalars.allSatisfy({ $0 == "_" || ScalarClass.word.contains($0.value) })
      else { throw problem("`\(name.prefix(40))` cannot be a group's name", at: nameStart) }
      if names.contains(name) { throw problem("there are two groups called `\(name.prefix(40))`", at: nameStart) }
      return try capture(name, start)
    }
    for (mark, what) in [
      ("=", "looking ahead"), ("!", "looking ahead"), ("<=", "looking behind"), ("<!", "looking behind"), (">", "an atomic group"),
    ]
    where take(mark) {
      throw problem("\(what) is not supported: a group picks a part of the match, `find(text, \"before (wanted) after\")`", at: start)
    }
    return try flagGroup(start)
  }

  private mutating func capture(_ name: String?, _ start: Int) throws(PatternError) -> PatternNode {
    let number = names.count
    if number > 100 { throw problem("there are more than 100 groups", at: start) }
    names.append(name)
    let inner = try choice()
    guard take(")") else { throw problem("the group has no `)`", at: start) }
    return .group(inner, number: number)
  }

  /// `(?i)`, which holds to the end of the group around it, and `(?i:…)`.
  private mutating func flagGroup(_ start: Int) throws(PatternError) -> PatternNode? {
    var changed = flags
    var isOn = true
    while let scalar = next, scalar != ")", scalar != ":" {
      switch scalar {
      case "i": changed.ignoresCase = isOn
      case "m": changed.isMultiline = isOn
      case "s": changed.dotTakesNewlines = isOn
      case "x": changed.isExtended = isOn
      case "-" where isOn: isOn = false
      default: throw problem("there is no flag `\(scalar)`; there are i, m, s and x", at: position)
      }
      position += 1
    }
    if take(")") {
      flags = changed
      return nil
    }
    guard take(":") else { throw problem("the group has no `)`", at: start) }
    let outer = flags
    flags = changed
    let inner = try choice()
    flags = outer
    guard take(")") else { throw problem("the group has no `)`", at: start) }
    // A group, so that a repetition behind it takes it whole.
    return .sequence([inner])
  }

  // MARK: escapes

  private mutating func escape(_ start: Int) throws(PatternError) -> PatternNode {
    guard let scalar = next else { throw problem("`\\` at the end", at: start) }
    switch scalar {
    case "b", "B", "A", "z", "Z":
      position += 1
      return .assertion(
        scalar == "b" ? .wordBoundary : scalar == "B" ? .notWordBoundary : scalar == "A" ? .start : scalar == "z" ? .end : .endBeforeNewline
      )
    case "Q":
      position += 1
      var nodes: [PatternNode] = []
      while position < scalars.count, !take("\\E") {
        nodes.append(literal(scalars[position]))
        position += 1
      }
      return .sequence(nodes)
    case "1"..."9", "k", "g":
      throw problem("a pattern cannot refer back to a group", at: start)
    default: break
    }
    if let item = try classEscape(start) { return .set(ScalarSet([item], foldsCase: flags.ignoresCase)) }
    return literal(try scalarEscape(start))
  }

  /// `\d` and the like, `\p{…}`; nil where another escape stands.
  private mutating func classEscape(_ start: Int) throws(PatternError) -> ScalarSet.Item? {
    guard let scalar = next else { return nil }
    let simple: [Unicode.Scalar: ScalarClass] = ["d": .digit, "w": .word, "s": .space]
    if let name = simple[scalar] ?? simple[Unicode.Scalar(scalar.value | 0x20) ?? " "] {
      position += 1
      return .named(name, isNegated: simple[scalar] == nil)
    }
    switch scalar {
    case "h", "H":
      position += 1
      return .named(.category("blank"), isNegated: scalar == "H")
    case "R", "X", "N":
      throw problem("`\\\(scalar)` is not supported", at: start)
    case "p", "P": break
    default: return nil
    }
    position += 1
    var name = ""
    if take("{") {
      while let scalar = next, scalar != "}" {
        name.unicodeScalars.append(scalar)
        position += 1
      }
      guard take("}") else { throw problem("`\\\(scalar){` has no `}`", at: start) }
    } else if let letter = next {
      name = String(letter)
      position += 1
    }
    let isNot = name.hasPrefix("^")
    if isNot { name.removeFirst() }
    for prefix in ["Script=", "sc=", "Is", "General_Category=", "gc="] where name.hasPrefix(prefix) {
      name = String(name.dropFirst(prefix.count))
    }
    guard let named = ScalarClass.named(name) else { throw problem("there is no class `\(name.prefix(40))`", at: start) }
    return .named(named, isNegated: (scalar == "P") != isNot)
  }

  private mutating func scalarEscape(_ start: Int) throws(PatternError) -> Unicode.Scalar {
    guard let scalar = next else { throw problem("`\\` at the end", at: start) }
    position += 1
    switch scalar {
    case "n": return "\n"
    case "t": return "\t"
    case "r": return "\r"
    case "f": return "\u{C}"
    case "v": return "\u{B}"
    case "a": return "\u{7}"
    case "e": return "\u{1B}"
    case "0": return "\0"
    case "x", "u", "U": return try code(scalar == "x" ? 2 : scalar == "u" ? 4 : 8, start)
    default:
      if scalar.isASCII, scalar.properties.isAlphabetic || scalar.properties.numericType != nil {
        throw problem("there is no `\\\(scalar)`; a character itself needs no `\\` if it is a letter or digit", at: start)
      }
      return scalar
    }
  }

  private mutating func code(_ digits: Int, _ start: Int) throws(PatternError) -> Unicode.Scalar {
    var text = ""
    if take("{") {
      while let scalar = next, scalar != "}" {
        text.unicodeScalars.append(scalar)
        position += 1
      }
      guard take("}") else { throw problem("`{` has no `}`", at: start) }
    } else {
      while text.count < digits, let scalar = next, scalar.properties.isASCIIHexDigit {
        text.unicodeScalars.append(scalar)
        position += 1
      }
      if text.count < digits { text = "" }
    }
    guard let value = UInt32(text, radix: 16), let scalar = Unicode.Scalar(value) else {
      throw problem("this is no character's number", at: start)
    }
    return scalar
  }

  // MARK: brackets

  private mutating func bracket(_ start: Int) throws(PatternError) -> ScalarSet {
    depth += 1
    defer { depth -= 1 }
    if depth > Self.deepest { throw problem("brackets are nested more than \(Self.deepest) deep", at: start) }
    let isNegated = take("^")
    var items: [ScalarSet.Item] = []
    var isFirst = true
    while true {
      guard let scalar = next else { throw problem("the bracket has no `]`", at: start) }
      if scalar == "]", !isFirst {
        position += 1
        return ScalarSet(items, isNegated: isNegated, foldsCase: flags.ignoresCase)
      }
      isFirst = false
      let at = position
      if take("[:") {
        let isNot = take("^")
        var name = ""
        while let scalar = next, scalar != ":", scalar != "]" {
          name.unicodeScalars.append(scalar)
          position += 1
        }
        guard take(":]") else { throw problem("`[:` has no `:]`", at: at) }
        guard let named = ScalarClass.named(name) else { throw problem("there is no class `\(name.prefix(40))`", at: at) }
        items.append(.named(named, isNegated: isNot))
        continue
      }
      if scalar == "[" {
        position += 1
        items.append(.union(try bracket(at)))
        continue
      }
      if take("&&") || take("--") || take("~~") { throw problem("sets of sets (`&&`, `--`, `~~`) are not supported", at: at) }
      guard let low = try member(at, &items) else { continue }
      guard next == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
        items.append(.range(low.value, low.value))
        continue
      }
      let dash = position
      position += 1
      var none: [ScalarSet.Item] = []
      guard scalars[position] != "[", let high = try member(position, &none), none.isEmpty else {
        throw problem("a range ends with a character", at: dash)
      }
      if high < low { throw problem("the range goes downwards", at: at) }
      items.append(.range(low.value, high.value))
    }
  }

  /// A character of a bracket; nil where a class stands, which is added to the items.
  private mutating func member(_ at: Int, _ items: inout [ScalarSet.Item]) throws(PatternError) -> Unicode.Scalar? {
    guard let scalar = next else { throw problem("the bracket has no `]`", at: at) }
    position += 1
    guard scalar == "\\" else { return scalar }
    if let item = try classEscape(at) {
      items.append(item)
      return nil
    }
    if take("b") { return "\u{8}" }
    return try scalarEscape(at)
  }
}
