extension Functions {
  static let lists: [Function] = [
    make("first(list)", "its first element, or nothing", 1...1) { (values) throws(OperationError) in
      try list(values[0], "first").first ?? .nothing
    },
    make("last(list)", "its last element, or nothing", 1...1) { (values) throws(OperationError) in
      try list(values[0], "last").last ?? .nothing
    },
    make("reverse(list)", "from its end to its start", 1...1) { (values) throws(OperationError) in
      .list(try list(values[0], "reverse").reversed())
    },
    make("zip(a, b)", "pairs of elements", 2...2) { (values) throws(OperationError) in
      .list(zip(try list(values[0], "zip"), try list(values[1], "zip")).map { .list([$0, $1]) })
    },
    make("list(x)", "a range spelled out", 1...1) { (values) throws(OperationError) in
      if case .range(let low, let high) = values[0], high - low >= 50_000_000 {
        throw OperationError("the range is too long to be spelled out: \(values[0].preview)")
      }
      return .list(try list(values[0], "list"))
    },
    make("fields(record)", "the names of its fields", 1...1) { .list($0[0].fieldNames.map(Value.text)) },
    make("get(x, name, fallback)", "a field, or the fallback where there is none (the text of a reply that failed)", 2...3) {
      (values) throws(OperationError) in
      let fallback = values.count > 2 ? values[2] : .nothing
      if case .int(let index) = values[1], let elements = values[0].elements {
        return elements.indices.contains(index) ? elements[index] : fallback
      }
      let name = try text(values[1], "get")
      if values[0].noAnswer(reading: name) != nil { return fallback }
      return values[0].field(name) ?? fallback
    },
    make("failed(rows)", "the rows that have no answer", 1...1) { (values) throws(OperationError) in
      .list(try list(values[0], "failed").filter { $0.rowFailure != nil })
    },
    make("errors(rows)", "how often each kind of failure happened, with an example", 1...1) { (values) throws(OperationError) in
      var kinds: [(kind: String, count: Int, example: String)] = []
      for failure in try list(values[0], "errors").compactMap(\.rowFailure) {
        if let index = kinds.firstIndex(where: { $0.kind == failure.kind.rawValue }) {
          kinds[index].count += 1
        } else {
          kinds.append((failure.kind.rawValue, 1, failure.message))
        }
      }
      return .list(kinds.map { .record(Record([("kind", .text($0.kind)), ("count", .int($0.count)), ("example", .text($0.example))])) })
    },
  ]
}
