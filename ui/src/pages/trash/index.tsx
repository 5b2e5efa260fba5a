export { default } from "@/pages/trash/Trash";
