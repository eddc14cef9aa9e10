/// The nearest of the names that exist.
public enum Suggestion {
  /// The candidate that is most likely meant by `name`; nil if none is near: at most a third of the letters, and at least one,
  /// may differ (a swap of neighbours counts once).
  public static func nearest(to name: String, among candidates: some Sequence<String>) -> String? {
    // One letter is near to every other.
    let limit = name.count < 3 ? 0 : max(1, name.count / 3)
    var best: (name: String, distance: Int)?
    for candidate in candidates where abs(candidate.count - name.count) <= limit {
      let distance = distance(Array(name.lowercased()), Array(candidate.lowercased()))
      if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
  }

  /// `did you mean …?`, or the list of what there is where it is short.
  public static func help(for name: String, among candidates: some Sequence<String>, asFlag: Bool = false) -> String? {
    let dashes = asFlag ? "--" : ""
    if let nearest = nearest(to: name, among: candidates) { return "did you mean `\(dashes)\(nearest)`?" }
    let all = candidates.map { dashes + $0 }.sorted()
    if all.isEmpty { return nil }
    return all.count <= 14 ? "there is: \(all.joined(separator: ", "))" : nil
  }

  private static func distance(_ a: [Character], _ b: [Character]) -> Int {
    if a.count > 64 || b.count > 64 { return .max }
    var before: [Int] = []
    var previous = Array(0...b.count)
    for i in 0..<a.count {
      var current = [i + 1]
      for j in 0..<b.count {
        var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
        current.append(cost)
      }
      (before, previous) = (previous, current)
    }
    return previous[b.count]
  }
}
