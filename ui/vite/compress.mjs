// Brotli and gzip next to each built file, so that the server never compresses what does not change.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const COMPRESSED = /\.(?:js|css|html|svg|json)$/;
// Smaller files fit one packet as they are.
const SMALLEST = 512;

export function compress() {
  let folder = "";
  return {
    name: "compress",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    async closeBundle() {
      const files = await readdir(folder, { recursive: true, withFileTypes: true });
      await Promise.all(files.filter((file) => file.isFile() && COMPRESSED.test(file.name)).map(async (file) => {
        const path = join(file.parentPath, file.name);
        const content = await readFile(path);
        if (content.length < SMALLEST) return;
        const [small, wide] = await Promise.all([
          promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
          promisify(gzip)(content, { level: 9 }),
        ]);
        await Promise.all([writeFile(`${path}.br`, small), writeFile(`${path}.gz`, wide)]);
      }));
    },
  };
}
