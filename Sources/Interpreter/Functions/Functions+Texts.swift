extension Functions {
  static let texts: [Function] = [
    make("len(x)", "characters of a text, elements of a list, fields of a record", 1...1) { (values) throws(OperationError) in
      switch values[0] {
      case .record(let record): return .int(record.fields.count)
      case .range(let low, let high): return .int(max(0, high - low + 1))
      case .list(let elements): return .int(elements.count)
      default: return .int(try text(values[0], "len").count)
      }
    },
    make("text(x)", "anything as a text", 1...1) { (values) throws(OperationError) in
      try values[0].answered()
      return .text(values[0].text)
    },
    make("upper(text)", "in capitals", 1...1) { (values) throws(OperationError) in .text(try text(values[0], "upper").uppercased()) },
    make("lower(text)", "in small letters", 1...1) { (values) throws(OperationError) in .text(try text(values[0], "lower").lowercased()) },
    make("trim(text)", "without white space at its ends", 1...1) { (values) throws(OperationError) in
      .text(trimmed(try text(values[0], "trim")))
    },
    make("lines(text)", "its lines", 1...1) { (values) throws(OperationError) in
      .list(try text(values[0], "lines").split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { .text(String($0)) })
    },
    make("words(text)", "its words", 1...1) { (values) throws(OperationError) in
      .list(try text(values[0], "words").split(whereSeparator: \.isWhitespace).map { .text(String($0)) })
    },
    make("split(text, separator)", "the pieces between separators", 2...2) { (values) throws(OperationError) in
      let (whole, separator) = (try text(values[0], "split"), try text(values[1], "split"))
      if separator.isEmpty { return .list(whole.map { .text(String($0)) }) }
      return .list(whole.split(separator: separator, omittingEmptySubsequences: false).map { .text(String($0)) })
    },
    make("joined(list, separator)", "a text of the elements with a separator between; what is nothing is left out", 1...2) {
      (values) throws(OperationError) in
      let separator = values.count > 1 ? try text(values[1], "joined") : ""
      return .text(try list(values[0], "joined").filter { $0.failure == nil && !$0.isNothing }.map(\.text).joined(separator: separator))
    },
    make("replace(text, old, new)", "with every `old` replaced", 3...3) { (values) throws(OperationError) in
      let (whole, old, new) = (try text(values[0], "replace"), try text(values[1], "replace"), try text(values[2], "replace"))
      return .text(old.isEmpty ? whole : whole.replacing(old, with: new))
    },
    make("starts(text, start)", "whether it starts so", 2...2) { (values) throws(OperationError) in
      .bool(try text(values[0], "starts").hasPrefix(try text(values[1], "starts")))
    },
    make("ends(text, end)", "whether it ends so", 2...2) { (values) throws(OperationError) in
      .bool(try text(values[0], "ends").hasSuffix(try text(values[1], "ends")))
    },
    make("cut(text, n)", "at most `n` characters of it", 2...2) { (values) throws(OperationError) in
      .text(String(try text(values[0], "cut").prefix(max(0, try whole(values[1], "cut")))))
    },
    make("find(text, pattern)", "every match of a regular expression (of its first group, where it has one)", 2...2) {
      (values) throws(OperationError) in
      let matches = try Matching.matches(try text(values[1], "find"), in: try text(values[0], "find"))
      return .list(matches.map { .text(($0.groups.count > 1 ? $0.groups[1] : $0.groups[0]) ?? "") })
    },
    make(
      "groups(text, pattern)",
      "the groups of the first match of a regular expression: a list, or a record where they have names; nothing without a match", 2...2
    ) {
      (values) throws(OperationError) in
      try Matching.groups(try text(values[1], "groups"), in: try text(values[0], "groups"))
    },
    make("escaped(text)", "a regular expression that matches just this text", 1...1) { (values) throws(OperationError) in
      .text(Matching.escaped(try text(values[0], "escaped")))
    },
    make("substitute(text, pattern, new)", "with every match of a regular expression replaced", 3...3) { (values) throws(OperationError) in
      .text(
        try Matching.replacing(
          try text(values[1], "substitute"), in: try text(values[0], "substitute"), with: try text(values[2], "substitute")))
    },
  ]

  static func trimmed(_ text: String) -> String {
    var view = text[...]
    while let first = view.first, first.isWhitespace { view.removeFirst() }
    while let last = view.last, last.isWhitespace { view.removeLast() }
    return String(view)
  }
}
