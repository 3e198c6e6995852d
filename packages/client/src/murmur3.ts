/** MurmurHash3 x86 32, as Austin Appleby published it. Not for secrets. @returns A whole number from 0 to 2^32 - 1 */
export function murmur3(bytes: Uint8Array, seed = 0): number {
  const byte = (at: number) => bytes[at] ?? 0 // past the end zeros: that is how the last one to three are read
  let hash = seed
  for (let at = 0; at < bytes.length; at += 4) {
    const block = byte(at) | (byte(at + 1) << 8) | (byte(at + 2) << 16) | (byte(at + 3) << 24)
    hash ^= Math.imul(rotate(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593)
    if (at + 4 <= bytes.length) hash = (Math.imul(rotate(hash, 13), 5) + 0xe6546b64) | 0
  }
  hash ^= bytes.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))
